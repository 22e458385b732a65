// Work that must not hold up the window: one thread, jobs by channel, the latest of a channel wins.
#pragma once

#include <QObject>
#include <QString>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace planner::gui {

/// What a running job sees of the outside. Thread-safe. One made by hand is never cancelled.
class Task {
 public:
  /// Whether nobody waits for the result any more: return early, with anything.
  [[nodiscard]] bool cancelled() const { return cancelled_->load(std::memory_order_relaxed); }
  /// Says how far the job is; cheap enough for every step.
  void progress(int done, int total) const {
    if (report_) report_(done, total);
  }

 private:
  friend class Estimator;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::function<void(int, int)> report_;
};

/// Runs jobs in a thread of its own and delivers their results in the thread that it lives in.
class Estimator : public QObject {
  Q_OBJECT

 public:
  /// What happens to a job of the channel that runs when a newer one comes.
  enum class Running {
    finish,  ///< it delivers, then the newest runs: for short jobs, so that something is seen while a slider moves
    cancel,  ///< nobody sees its result: for long ones
  };
  /// Runs in the thread; what it returns runs where the Estimator lives.
  using Job = std::function<std::function<void()>(const Task&)>;

  explicit Estimator(QObject* parent = nullptr);
  /// Cancels everything and waits for the job that runs.
  ~Estimator() override;

  /// Queues a job; one of the same channel that waits is dropped. Jobs report bad input by throwing planner::Error.
  void submit(const QString& channel, Job job, Running running = Running::finish);
  /// Drops the channel's job, running or waiting; its result is never delivered.
  void cancel(const QString& channel);
  [[nodiscard]] bool idle() const;

 signals:
  /// A job threw planner::Error, or anything else: `text` is one line.
  void failed(const QString& channel, const QString& text);
  void progressed(const QString& channel, int done, int total);
  /// No job runs or waits.
  void became_idle();

 private:
  struct Entry {
    QString channel;
    Job job;
    Task task;
  };

  void run();
  void finish(const Entry& entry, const std::function<void()>& deliver, const QString& error);

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Entry> waiting_;
  QString running_channel_;
  Task running_task_;
  int undelivered_ = 0;  ///< results on their way
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace planner::gui
