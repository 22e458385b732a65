#include "logic/estimator.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "planner/error.h"

namespace planner::gui {

Estimator::Estimator(QObject* parent) : QObject(parent), thread_([this] { run(); }) {}

Estimator::~Estimator() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    waiting_.clear();
    *running_task_.cancelled_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Estimator::submit(const QString& channel, Job job, Running running) {
  Entry entry{channel, std::move(job), {}};
  entry.task.report_ = [this, channel, last = std::chrono::steady_clock::time_point()](int done, int total) mutable {
    constexpr auto kInterval = std::chrono::milliseconds(50);  // an eye sees no more
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - last < kInterval) return;
    last = now;
    QMetaObject::invokeMethod(
        this, [this, channel, done, total] { emit progressed(channel, done, total); }, Qt::QueuedConnection);
  };
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const Entry& e) { return e.channel == channel; });
    if (running == Running::cancel && running_channel_ == channel) *running_task_.cancelled_ = true;
    waiting_.push_back(std::move(entry));
  }
  wake_.notify_one();
}

void Estimator::cancel(const QString& channel) {
  const std::lock_guard lock(mutex_);
  std::erase_if(waiting_, [&](const Entry& e) { return e.channel == channel; });
  if (running_channel_ == channel) *running_task_.cancelled_ = true;
}

bool Estimator::idle() const {
  const std::lock_guard lock(mutex_);
  return waiting_.empty() && running_channel_.isNull() && undelivered_ == 0;
}

void Estimator::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    const Entry entry = std::move(waiting_.front());
    waiting_.pop_front();
    running_channel_ = entry.channel;
    running_task_ = entry.task;
    ++undelivered_;
    lock.unlock();

    std::function<void()> deliver;
    QString error;
    try {
      deliver = entry.job(entry.task);
    } catch (const Error& e) {
      error = QString::fromUtf8(e.what());
    } catch (const std::exception& e) {
      error = QStringLiteral("internal error: %1").arg(QString::fromUtf8(e.what()));
    }

    lock.lock();
    running_channel_ = QString();
    QMetaObject::invokeMethod(
        this, [this, entry, deliver, error] { finish(entry, deliver, error); }, Qt::QueuedConnection);
  }
}

void Estimator::finish(const Entry& entry, const std::function<void()>& deliver, const QString& error) {
  if (!entry.task.cancelled()) {
    if (!error.isEmpty())
      emit failed(entry.channel, error);
    else if (deliver)
      deliver();
  }
  {
    const std::lock_guard lock(mutex_);
    --undelivered_;
  }
  if (idle()) emit became_idle();
}

}  // namespace planner::gui
