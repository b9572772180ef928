// A file system in memory that tells written from durable: crash() throws away, by seed, any part of what was not
// synced (file content, directory entries). fail_after(n) makes every mutating call after the n-th fail, as a dying
// process would.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/file_system.h"
#include "core/random.h"

namespace millrace {

class SimulatedDisk final : public FileSystem {
 public:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  // A change of a directory's entries that is not durable yet; a rename is one change.
  struct Change {
    std::string erase;
    std::string set;
    NodePtr node;
    void apply(std::map<std::string, NodePtr>& entries) const {
      if (!erase.empty()) entries.erase(erase);
      if (!set.empty()) entries[set] = node;
    }
  };
  struct Node {
    bool is_directory = false;
    std::string data, durable_data;
    std::map<std::string, NodePtr> children, durable_children;
    std::vector<Change> changes;

    void change(Change change) {
      change.apply(children);
      changes.push_back(std::move(change));
    }
  };

  void fail_after(int64_t operations) { left_ = operations; }
  [[nodiscard]] bool failed() const { return left_ == 0; }

  void crash(Random& random) {
    crash_node(*root_, random);
    left_ = -1;
  }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override { return open_write(path, true); }
  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override {
    return open_write(path, false);
  }
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) override {
    const NodePtr node = find(path);
    if (!node) return missing(path);
    return std::make_unique<Reader>(node);
  }
  Result<std::string> read_all(const std::string& path) override {
    const NodePtr node = find(path);
    if (!node) return missing(path);
    return node->data;
  }
  Status rename(const std::string& from, const std::string& to) override {
    MR_TRY(spend(from));
    const NodePtr node = find(from);
    const NodePtr target = find(parent_path(to));
    if (!node || !target) return missing(from);
    MR_CHECK(find(parent_path(from)) == target, "renames stay inside a directory");
    target->change({name_of(from), name_of(to), node});
    return {};
  }
  Status rename_no_replace(const std::string& from, const std::string& to) override {
    if (find(to)) return make_error(ErrorCode::kRefusedByState, to + " exists already");
    return rename(from, to);
  }
  Status sync_directory(const std::string& path) override {
    MR_TRY(spend(path));
    const NodePtr node = find(path);
    if (!node) return missing(path);
    node->durable_children = node->children;
    node->changes.clear();
    return {};
  }
  Status create_directories(const std::string& path) override {
    MR_TRY(spend(path));
    NodePtr node = root_;
    for (const std::string& part : parts(path)) {
      if (!node->children.contains(part)) {
        auto child = std::make_shared<Node>();
        child->is_directory = true;
        node->change({"", part, child});
      }
      node = node->children[part];
    }
    return {};
  }
  Result<std::vector<DirEntry>> list(const std::string& path) override {
    const NodePtr node = find(path);
    if (!node) return missing(path);
    std::vector<DirEntry> out;
    for (const auto& [name, child] : node->children) out.push_back({name, child->is_directory, child->data.size()});
    return out;
  }
  Status remove(const std::string& path) override { return remove_all(path); }
  Status remove_all(const std::string& path) override {
    MR_TRY(spend(path));
    if (const NodePtr node = find(parent_path(path))) node->change({name_of(path), "", nullptr});
    return {};
  }
  Status truncate(const std::string& path, uint64_t size) override {
    MR_TRY(spend(path));
    find(path)->data.resize(size);
    return {};
  }
  bool exists(const std::string& path) override { return find(path) != nullptr; }
  Status link(const std::string& from, const std::string& to) override {
    MR_TRY(spend(from));
    const NodePtr node = find(from);
    const NodePtr target = find(parent_path(to));
    if (!node || !target) return missing(from);
    if (find(to)) return make_error(ErrorCode::kIo, to + " exists already");
    target->change({"", name_of(to), node});
    return {};
  }

 private:
  class Writer final : public WritableFile {
   public:
    Writer(SimulatedDisk& disk, NodePtr node) : disk_(disk), node_(std::move(node)) {}
    Status append(std::string_view bytes) override {
      MR_TRY(disk_.spend("append"));
      node_->data.append(bytes);
      return {};
    }
    Status sync() override {
      MR_TRY(disk_.spend("sync"));
      node_->durable_data = node_->data;
      return {};
    }
    Status close() override { return {}; }

   private:
    SimulatedDisk& disk_;
    NodePtr node_;
  };
  class Reader final : public ReadableFile {
   public:
    explicit Reader(NodePtr node) : node_(std::move(node)) {}
    Result<size_t> read_at(uint64_t offset, char* into, size_t size) override {
      if (offset >= node_->data.size()) return 0;
      return node_->data.copy(into, size, offset);
    }
    Result<uint64_t> size() override { return node_->data.size(); }

   private:
    NodePtr node_;
  };

  static std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
  static std::vector<std::string> parts(const std::string& path) {
    std::vector<std::string> out;
    for (size_t at = 0; at < path.size();) {
      const size_t end = std::min(path.find('/', at), path.size());
      if (end > at) out.push_back(path.substr(at, end - at));
      at = end + 1;
    }
    return out;
  }
  NodePtr find(const std::string& path) const {
    NodePtr node = root_;
    for (const std::string& part : parts(path)) {
      const auto child = node->children.find(part);
      if (child == node->children.end()) return nullptr;
      node = child->second;
    }
    return node;
  }
  static std::unexpected<Error> missing(const std::string& path) {
    return make_error(ErrorCode::kNotFound, path + " is missing");
  }
  Status spend(const std::string& what) {
    if (left_ == 0) return make_error(ErrorCode::kIo, "the simulated disk is gone: " + what);
    if (left_ > 0) --left_;
    return {};
  }
  Result<std::unique_ptr<WritableFile>> open_write(const std::string& path, bool truncate_it) {
    MR_TRY(spend(path));
    const NodePtr directory = find(parent_path(path));
    if (!directory) return missing(path);
    if (!directory->children.contains(name_of(path))) directory->change({"", name_of(path), std::make_shared<Node>()});
    const NodePtr node = directory->children[name_of(path)];
    if (truncate_it) node->data.clear();
    return std::make_unique<Writer>(*this, node);
  }
  // Every unsynced entry change and every unsynced tail may have reached the disk or not, each for itself.
  static void crash_node(Node& node, Random& random) {
    if (!node.is_directory) {
      const bool appended = node.data.starts_with(node.durable_data);
      const size_t keep =
          appended ? node.durable_data.size() + random.below(node.data.size() - node.durable_data.size() + 1) : 0;
      node.data = appended ? node.data.substr(0, keep) : node.durable_data;
      node.durable_data = node.data;
      return;
    }
    std::map<std::string, NodePtr> after = node.durable_children;
    for (const Change& change : std::exchange(node.changes, {})) {
      if (random.below(2) == 0) change.apply(after);
    }
    node.children = node.durable_children = after;
    for (const auto& [name, child] : after) crash_node(*child, random);
  }

  NodePtr root_ = [] {
    auto node = std::make_shared<Node>();
    node->is_directory = true;
    return node;
  }();
  int64_t left_ = -1;
};

}  // namespace millrace
