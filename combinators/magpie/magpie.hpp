#pragma once

// Everything of magpie.

#include <magpie/as_completed.hpp>
#include <magpie/batch.hpp>
#include <magpie/batcher.hpp>
#include <magpie/checkpoint.hpp>
#include <magpie/clock.hpp>
#include <magpie/errors.hpp>
#include <magpie/exception_group.hpp>
#include <magpie/first_success.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/function_view.hpp>
#include <magpie/future.hpp>
#include <magpie/gather.hpp>
#include <magpie/hedge.hpp>
#include <magpie/limit_concurrency.hpp>
#include <magpie/limit_rate.hpp>
#include <magpie/map_unordered.hpp>
#include <magpie/outcome.hpp>
#include <magpie/parallel_invoke.hpp>
#include <magpie/race.hpp>
#include <magpie/rate_limiter.hpp>
#include <magpie/retry.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/semaphore.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/stop_token.hpp>
#include <magpie/task.hpp>
#include <magpie/task_group.hpp>
#include <magpie/task_handle.hpp>
#include <magpie/task_local.hpp>
#include <magpie/timeout.hpp>
#include <magpie/wait.hpp>
#include <magpie/yield.hpp>
