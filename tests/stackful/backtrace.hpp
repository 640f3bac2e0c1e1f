// The calls in progress, as an unwinder finds them. Not the C library's backtrace(), which musl lacks.

#pragma once

#include <unwind.h>

// Stores the return addresses of at most `most` calls, the innermost first, and returns how many.
[[gnu::noinline]] inline int find_calls(void** addresses, int most) {
    struct Walk {
        void** addresses;
        int most;
        int count;
    };
    Walk walk{addresses, most, -1};  // the first one is in this function
    _Unwind_Backtrace(
        [](_Unwind_Context* context, void* argument) {
            auto& walk = *static_cast<Walk*>(argument);
            auto address = _Unwind_GetIP(context);
            if (walk.count == walk.most || address == 0) {
                return _URC_END_OF_STACK;
            }
            if (walk.count >= 0) {
                walk.addresses[walk.count] = reinterpret_cast<void*>(address);
            }
            ++walk.count;
            return _URC_NO_REASON;
        },
        &walk);
    return walk.count;
}
