#pragma once

/// What a lock guards, said so that clang checks it (-Wthread-safety: D. Hutchins, A. Ballman and
/// D. Sutherland, C/C++ Thread Safety Analysis, SCAM 2014). Other compilers ignore it.
#if defined(__clang__)
#define MAGPIE_THREAD_ANNOTATION(annotation) __attribute__((annotation))
#else
#define MAGPIE_THREAD_ANNOTATION(annotation)
#endif

// Of a type: its objects are locks; its objects hold a lock from construction to destruction.
#define MAGPIE_LOCK MAGPIE_THREAD_ANNOTATION(capability("lock"))
#define MAGPIE_LOCK_GUARD MAGPIE_THREAD_ANNOTATION(scoped_lockable)

// Of a variable: it is read and written with the lock held.
#define MAGPIE_GUARDED_BY(lock) MAGPIE_THREAD_ANNOTATION(guarded_by(lock))

// Of a function: the caller holds the locks; holds them from the call on; if it returns the value;
// no longer.
#define MAGPIE_REQUIRES(...) MAGPIE_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define MAGPIE_ACQUIRES(...) MAGPIE_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define MAGPIE_TRY_ACQUIRES(...) MAGPIE_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define MAGPIE_RELEASES(...) MAGPIE_THREAD_ANNOTATION(release_capability(__VA_ARGS__))

// Of a function that does nothing: after the call the analysis takes it that the lock is held.
#define MAGPIE_ASSUMES(...) MAGPIE_THREAD_ANNOTATION(assert_capability(__VA_ARGS__))

// Of a function that the analysis cannot follow. Its comment says why it is right.
#define MAGPIE_UNCHECKED_LOCKING MAGPIE_THREAD_ANNOTATION(no_thread_safety_analysis)
