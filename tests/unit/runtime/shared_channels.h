// Members of a deployment in one test, without a network: both ends of a remote channel are one object.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/remote_channels.h"

namespace millrace {

struct SharedChannels {
  std::map<ChannelKey, std::unique_ptr<Channel>> channels;
  std::map<ChannelKey, std::pair<Waker*, Waker*>> wakers;
  size_t opened = 0;
  std::map<uint32_t, std::vector<uint32_t>> aligned;

  size_t channel_bytes = 64;

  Channel* channel(const ChannelKey& key) {
    std::unique_ptr<Channel>& found = channels[key];
    if (!found) found = std::make_unique<Channel>(channel_bytes);
    found->connect(wakers[key].first, wakers[key].second);
    return found.get();
  }
};

class SharedEnds final : public RemoteChannels {
 public:
  SharedEnds(SharedChannels& shared, uint32_t member, size_t columns = 1)
      : shared_(shared), member_(member), columns_(columns) {}
  ChannelOutput* output(const ChannelKey& key, uint32_t member, SchemaPtr schema, Waker* producer) override {
    check(member, schema);
    shared_.wakers[key].first = producer;
    return shared_.channel(key);
  }
  ChannelInput* input(const ChannelKey& key, uint32_t member, SchemaPtr schema, Waker* consumer) override {
    check(member, schema);
    shared_.wakers[key].second = consumer;
    return shared_.channel(key);
  }
  void align(std::shared_ptr<SourceAlignment>, const std::vector<uint32_t>& members) override {
    shared_.aligned[member_] = members;
  }
  void open() override { ++shared_.opened; }

 private:
  void check(uint32_t member, const SchemaPtr& schema) const {
    MR_CHECK(member != member_, "a channel to oneself is local");
    MR_CHECK(schema->size() == columns_, "the schema of the edge");
  }
  SharedChannels& shared_;
  uint32_t member_;
  size_t columns_;
};

}  // namespace millrace
