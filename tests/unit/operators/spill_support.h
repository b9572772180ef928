// A task's store in which everything over a limit, mostly zero, leaves memory when it is asked to.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "runtime/spi/operator.h"
#include "state/task_store.h"

namespace millrace {

struct SpillFixture {
  explicit SpillFixture(const std::string& name, int64_t limit_bytes = 0) {
    TaskStore::Config config;
    config.directory = "/tmp/millrace-" + name + "-" + std::to_string(::getpid());
    config.instance = "test";
    config.budget = std::make_shared<StateBudget>();
    config.budget->limit_bytes = limit_bytes;
    config.memory = make_spill_memory(0);
    config.key_groups = context.key_groups;
    auto made = TaskStore::make(std::move(config));
    REQUIRE(made);
    store = std::move(*made);
    context.store = store.get();
  }
  void spill() { REQUIRE(store->balance()); }

  OperatorContext context;
  std::unique_ptr<TaskStore> store;
};

}  // namespace millrace
