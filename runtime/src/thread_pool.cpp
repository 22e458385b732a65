#include "runtime/thread_pool.h"

#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace planner::runtime {
namespace {

// How long a thread looks for work before it sleeps: longer than the serial work between two steps of a token, far shorter than anybody
// would notice on a machine that is shared.
constexpr int kSpins = 4000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Returns once `value` is no longer `old`.
template <class T>
void wait_while(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause();
  }
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

}  // namespace

struct ThreadPool::Shared {
  // Cache lines of their own: the workers watch the one while the others are written.
  alignas(64) std::atomic<std::uint32_t> step{0};
  alignas(64) std::atomic<int> running{0};
  alignas(64) void (*call)(void*, int) = nullptr;
  void* fn = nullptr;
  bool stop = false;
  std::vector<std::thread> workers;
};

ThreadPool::ThreadPool(int n_threads) : shared_(std::make_unique<Shared>()), n_threads_(std::max(1, n_threads)) {
  for (int i = 1; i < n_threads_; ++i) shared_->workers.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  shared_->stop = true;
  shared_->step.fetch_add(1, std::memory_order_release);
  shared_->step.notify_all();
  for (auto& worker : shared_->workers) worker.join();
}

int ThreadPool::hardware_threads() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

void ThreadPool::run_erased(void (*call)(void*, int), void* fn) {
  if (n_threads_ > 1) {
    shared_->call = call;
    shared_->fn = fn;
    shared_->running.store(n_threads_ - 1, std::memory_order_relaxed);
    shared_->step.fetch_add(1, std::memory_order_release);
    shared_->step.notify_all();
  }
  call(fn, 0);
  for (int left = shared_->running.load(std::memory_order_acquire); left != 0; left = shared_->running.load(std::memory_order_acquire))
    wait_while(shared_->running, left);
}

void ThreadPool::work(int thread) {
  std::uint32_t seen = 0;
  for (;;) {
    wait_while(shared_->step, seen);
    ++seen;  // steps come one at a time: the caller waits for all
    if (shared_->stop) return;
    shared_->call(shared_->fn, thread);
    if (shared_->running.fetch_sub(1, std::memory_order_release) == 1) shared_->running.notify_one();
  }
}

}  // namespace planner::runtime
