#include "connectors/lookup/lookup_thread.h"

#include <algorithm>

#include "core/log.h"

namespace millrace {

LookupThread::~LookupThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Status LookupThread::open(const LookupContext& context) {
  waker_ = context.waker;
  thread_ = std::thread([this] { serve(); });
  return {};
}

void LookupThread::ask(uint64_t ticket, std::vector<std::string> keys, int64_t delay_ms) {
  const std::lock_guard lock(mutex_);
  const Time due = std::chrono::steady_clock::now() + std::chrono::milliseconds(delay_ms);
  questions_.push_back({ticket, std::move(keys), due});
  changed_.notify_all();
}

bool LookupThread::take(LookupAnswer& answer) {
  if (!answered()) return false;
  const std::lock_guard lock(mutex_);
  if (answers_.empty()) return false;
  answer = std::move(answers_.front());
  answers_.pop_front();
  answered_.store(!answers_.empty(), std::memory_order_release);
  return true;
}

bool LookupThread::next_question(Question& question) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto first = std::ranges::min_element(questions_, {}, &Question::due);
    if (first == questions_.end()) {
      changed_.wait(lock);
    } else if (const Time due = first->due; due > std::chrono::steady_clock::now()) {
      changed_.wait_until(lock, due);
    } else {
      question = std::move(*first);
      questions_.erase(first);
      return true;
    }
  }
  return false;
}

Status LookupThread::find(const Question& question, LookupAnswer& answer) {
  if (!connected_) MR_TRY(target_->connect(stopping_));
  connected_ = true;
  std::vector<std::vector<std::string>> texts;
  for (const std::string& key : question.keys) {
    MR_ASSIGN(auto text, keys_.texts(key));
    texts.push_back(std::move(text));
  }
  MR_TRY(target_->find(texts, rows_));
  rows_.finish(answer);
  return {};
}

void LookupThread::serve() {
  Question question;
  while (next_question(question)) {
    LookupAnswer answer;
    answer.ticket = question.ticket;
    answer.status = find(question, answer);
    if (!answer.status) {
      connected_ = false;
      LookupAnswer dropped;
      rows_.finish(dropped);
      log_warn("a look-up failed", {{"reason", answer.status.error().message}});
    }
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    answered_.store(true, std::memory_order_release);
    waker_->notify();
  }
}

}  // namespace millrace
