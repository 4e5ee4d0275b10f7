#pragma once

// Everything of magpie.

#include <magpie/checkpoint.hpp>
#include <magpie/clock.hpp>
#include <magpie/errors.hpp>
#include <magpie/frame_statistics.hpp>
#include <magpie/gather.hpp>
#include <magpie/parallel_invoke.hpp>
#include <magpie/run_blocking.hpp>
#include <magpie/runtime.hpp>
#include <magpie/shield.hpp>
#include <magpie/sleep.hpp>
#include <magpie/task.hpp>
#include <magpie/task_handle.hpp>
#include <magpie/timeout.hpp>
#include <magpie/yield.hpp>
