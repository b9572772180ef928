// The rows that tasks' spill stores hold in a checkpoint, for those who do not go on from the store itself: other key
// groups, other states, another backend, the commands that read state. Stores are opened when first asked, for reading,
// through links to the checkpoint's files. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "state/snapshot.h"
#include "state/snapshot_file.h"
#include "state/task_store.h"

namespace millrace {

/// Whether the files are those of a spill store.
bool has_spill_meta(const RestoredStore& store);

class RestoredStores {
 public:
  /// `files` outlives this; its stores() are read, and its fetch() used for files that are not on the local disk.
  explicit RestoredStores(const RestoredState& files) : files_(files) {}
  ~RestoredStores();
  RestoredStores(const RestoredStores&) = delete;
  RestoredStores& operator=(const RestoredStores&) = delete;

  /// Rows of a keyed state in these key groups. A key comes once for each run of a state that has runs.
  Status visit(const StateDescriptor& expected, KeyGroupRange groups, const RestoredState::RowVisitor& visitor) const;
  /// The states, with about their rows and their size on disk.
  [[nodiscard]] Result<std::vector<SnapshotStateInfo>> states() const;

 private:
  struct Opened {
    SpillMeta meta;
    std::unique_ptr<SpillStore> store;
  };
  Status open() const;
  static Status visit_state(const Opened& opened, const SpilledState& held, KeyGroupRange groups,
                            const RestoredState::RowVisitor& visitor);

  const RestoredState& files_;
  mutable std::mutex mutex_;
  mutable bool opened_ = false;
  mutable std::string directory_;
  mutable std::vector<Opened> stores_;
};

}  // namespace millrace
