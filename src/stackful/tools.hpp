// Which tools check the program that this is compiled into. Only this file asks the compiler, so that no answer depends
// on what was included before.

#pragma once

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACKFUL_ADDRESS_SANITIZER 1
#endif
#if __has_feature(thread_sanitizer)
#define STACKFUL_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define STACKFUL_ADDRESS_SANITIZER 1
#endif
#if defined(__SANITIZE_THREAD__)
#define STACKFUL_THREAD_SANITIZER 1
#endif
// STACKFUL_VALGRIND is an option of the build.

namespace stackful::tools {

#if defined(STACKFUL_ADDRESS_SANITIZER)
inline constexpr bool has_address_sanitizer = true;
#else
inline constexpr bool has_address_sanitizer = false;
#endif
#if defined(STACKFUL_THREAD_SANITIZER)
inline constexpr bool has_thread_sanitizer = true;
#else
inline constexpr bool has_thread_sanitizer = false;
#endif
#if defined(STACKFUL_VALGRIND)
inline constexpr bool has_valgrind = true;
#else
inline constexpr bool has_valgrind = false;
#endif

// True if a tool looks for the use of freed memory. Then no freed memory should be kept for reuse.
inline constexpr bool watch_freed_memory = has_address_sanitizer || has_valgrind;

}  // namespace stackful::tools
