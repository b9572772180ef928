// The byte layout shared by the writer and the reader of snapshot files; described in state/FORMAT.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/hash.h"
#include "core/status.h"
#include "state/snapshot.h"

namespace millrace {

inline constexpr std::string_view kSnapshotMagic = "MRSTATE\n";
inline constexpr std::string_view kSnapshotEndMagic = "MRSTEND\n";
inline constexpr uint32_t kSnapshotFormatVersion = 2;  // 1: the same without packed files
inline constexpr uint32_t kSnapshotKeyFormat = 1;
inline constexpr size_t kSnapshotHeaderBytes = 8 + 4 + 4 + 4 + 4;  // magic, version, key format, max_parallelism, crc
inline constexpr size_t kSnapshotTailBytes = 8 + 4 + 4 + 8;        // footer offset, footer bytes, footer crc, magic
inline constexpr size_t kSnapshotBlockHeaderBytes = 4 + 4;         // payload bytes, crc
inline constexpr size_t kSnapshotBlockBytes = 64 * 1024;
inline constexpr uint64_t kPackedFileBytesMax = 64 * 1024 - 1;

/// Index entry: a block holds rows of groups [first_group, last_group].
struct SnapshotBlock {
  uint32_t first_group = 0;
  uint32_t last_group = 0;
  uint64_t offset = 0;
  uint32_t bytes = 0;  // of the payload
};

struct SnapshotSection {
  StateDescriptor state;
  uint64_t rows = 0;
  std::vector<SnapshotBlock> blocks;
};

/// A small file of a spill store inside the task's file.
struct PackedFile {
  std::string name;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t checksum = 0;
};

struct SnapshotFooter {
  std::vector<SnapshotSection> sections;
  std::vector<PackedFile> packed;
};

inline std::string encode_snapshot_footer(const SnapshotFooter& footer) {
  ByteWriter out;
  const std::vector<SnapshotSection>& sections = footer.sections;
  out.put_varint(sections.size());
  for (const SnapshotSection& section : sections) {
    out.put_string(section.state.step);
    out.put_string(section.state.name);
    out.put(static_cast<uint8_t>(section.state.kind));
    out.put_string(section.state.layout);
    out.put_varint(section.rows);
    out.put_varint(section.blocks.size());
    for (const SnapshotBlock& block : section.blocks) {
      out.put_varint(block.first_group);
      out.put_varint(block.last_group);
      out.put_varint(block.offset);
      out.put_varint(block.bytes);
    }
  }
  out.put_varint(footer.packed.size());
  for (const PackedFile& file : footer.packed) {
    out.put_string(file.name);
    out.put_varint(file.offset);
    out.put_varint(file.bytes);
    out.put(file.checksum);
  }
  return out.take();
}

/// False: damaged.
inline bool decode_snapshot_footer(std::string_view bytes, uint32_t version, SnapshotFooter& footer) {
  ByteReader in(bytes);
  const uint64_t count = in.get_varint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    SnapshotSection section;
    section.state.step = in.get_string();
    section.state.name = in.get_string();
    const auto kind = in.get<uint8_t>();
    if (kind > static_cast<uint8_t>(StateKind::kSubtask)) return false;
    section.state.kind = static_cast<StateKind>(kind);
    section.state.layout = in.get_string();
    section.rows = in.get_varint();
    const uint64_t blocks = in.get_varint();
    for (uint64_t b = 0; b < blocks && in.ok(); ++b) {
      SnapshotBlock block;
      block.first_group = static_cast<uint32_t>(in.get_varint());
      block.last_group = static_cast<uint32_t>(in.get_varint());
      block.offset = in.get_varint();
      block.bytes = static_cast<uint32_t>(in.get_varint());
      section.blocks.push_back(block);
    }
    footer.sections.push_back(std::move(section));
  }
  const uint64_t packed = version > 1 ? in.get_varint() : 0;
  for (uint64_t i = 0; i < packed && in.ok(); ++i) {
    PackedFile file;
    file.name = in.get_string();
    file.offset = in.get_varint();
    file.bytes = in.get_varint();
    file.checksum = in.get<uint64_t>();
    footer.packed.push_back(std::move(file));
  }
  return in.done();
}

inline std::string encode_snapshot_header(uint32_t max_parallelism) {
  ByteWriter out;
  out.put_raw(kSnapshotMagic);
  out.put(kSnapshotFormatVersion);
  out.put(kSnapshotKeyFormat);
  out.put(max_parallelism);
  out.put(crc32c(out.view()));
  return out.take();
}

/// CRC of a block covers its length and its payload.
inline uint32_t snapshot_block_crc(uint32_t bytes, std::string_view payload) {
  return crc32c(payload, crc32c({reinterpret_cast<const char*>(&bytes), sizeof bytes}));
}

}  // namespace millrace
