// The ends of channels whose other end runs in another process, as a deployment asks for them. The implementation
// (taskmanager/network) moves the elements; it may call the wakers until it is destroyed, which the deployment does
// before its workers go. Everything is called by the thread that builds the deployment; open() comes last.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/waker.h"
#include "data/types.h"
#include "runtime/channel.h"
#include "runtime/source_alignment.h"

namespace millrace {

class RemoteChannels {
 public:
  virtual ~RemoteChannels() = default;
  /// The producer's end of a channel into a subtask of `member`; owned by this object.
  virtual ChannelOutput* output(const ChannelKey& key, uint32_t member, SchemaPtr schema, Waker* producer) = 0;
  /// The consumer's end of a channel out of a subtask of `member`; owned by this object.
  virtual ChannelInput* input(const ChannelKey& key, uint32_t member, SchemaPtr schema, Waker* consumer) = 0;
  /// Tells these members how far the sources here are, and `alignment` how far theirs are.
  virtual void align(std::shared_ptr<SourceAlignment> alignment, const std::vector<uint32_t>& members) = 0;
  /// All ends are registered: elements may travel from here on.
  virtual void open() = 0;
};

}  // namespace millrace
