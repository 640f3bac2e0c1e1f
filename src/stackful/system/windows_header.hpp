// <windows.h> without what nobody here needs. For source files of folders `system`.

#pragma once

#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#if !defined(_WIN32_WINNT) || _WIN32_WINNT < 0x0602
#undef _WIN32_WINNT
#define _WIN32_WINNT 0x0602  // Windows 8, which CPython 3.9 and later need
#endif
#include <windows.h>
// It needs the types of the other one.
#include <psapi.h>
