/// Threads that work on one thing at a time: short parallel steps in quick succession, as decoding a token is made of.
///
/// Workers spin for a short while after a step and then sleep; the caller works as thread 0. Threads are not pinned. Work is claimed piece
/// by piece, so that a core that is held up by others holds up nobody.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace planner::runtime {

class ThreadPool {
 public:
  /// `n_threads` >= 1, the caller's included: 1 starts none. Throws std::system_error where the system gives no thread.
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int size() const { return n_threads_; }

  /// Calls fn(thread) once on every thread, thread = 0 .. size() - 1, and returns when all have returned; what they wrote is visible then.
  /// One caller at a time; fn must neither throw nor call the pool.
  template <class Fn>
  void run(Fn&& fn) {
    run_erased([](void* f, int thread) { (*static_cast<std::remove_reference_t<Fn>*>(f))(thread); }, const_cast<void*>(static_cast<const void*>(&fn)));
  }

  /// Calls fn(begin, end, thread) for pieces of at most `grain` that together are [begin, end), each on whichever thread is free.
  template <class Fn>
  void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain, Fn&& fn) {
    if (begin >= end) return;
    if (n_threads_ == 1 || end - begin <= grain) {
      fn(begin, end, 0);
      return;
    }
    std::atomic<std::int64_t> next{begin};
    run([&](int thread) {
      for (;;) {
        const std::int64_t from = next.fetch_add(grain, std::memory_order_relaxed);
        if (from >= end) return;
        fn(from, std::min(from + grain, end), thread);
      }
    });
  }

  /// Threads that this machine runs at once (at least 1): what `n_threads` is by default.
  [[nodiscard]] static int hardware_threads();

 private:
  void run_erased(void (*call)(void*, int), void* fn);
  void work(int thread);

  struct Shared;
  std::unique_ptr<Shared> shared_;
  int n_threads_;
};

}  // namespace planner::runtime
