#pragma once

// MAGPIE_ADDRESS_SANITIZER and MAGPIE_THREAD_SANITIZER are 1 in a build with that sanitizer, else
// 0. Compilers announce a sanitizer in two different ways.

#if defined(__SANITIZE_ADDRESS__)
#define MAGPIE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAGPIE_ADDRESS_SANITIZER 1
#endif
#endif
#ifndef MAGPIE_ADDRESS_SANITIZER
#define MAGPIE_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__)
#define MAGPIE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MAGPIE_THREAD_SANITIZER 1
#endif
#endif
#ifndef MAGPIE_THREAD_SANITIZER
#define MAGPIE_THREAD_SANITIZER 0
#endif
