#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "catalogue.hpp"
#include "console.hpp"

namespace treesum {

enum class piece_end { file_goes_on, file_complete, file_failed };

/// Consecutive bytes of one file.
struct piece {
  std::size_t file;
  std::span<const std::byte> bytes;
  piece_end end;
};

/// The contents of one lane's files, one behind the other, in pieces of bounded size: many small
/// files at once, or a large one little by little. It holds at most one file open.
class file_stream {
 public:
  file_stream(catalogue& files, console& problems);
  ~file_stream();

  file_stream(const file_stream&) = delete;
  file_stream& operator=(const file_stream&) = delete;

  /// Reads on, blocking, until the buffer is full, some milliseconds have passed, no file is left,
  /// or a stop is requested. The pieces are valid until the next call; without any, the stream has
  /// ended. Files that cannot be read go to the console.
  [[nodiscard]] std::span<const piece> read();

 private:
  /// False when no file is left.
  bool open_next();
  [[nodiscard]] piece_end read_until_full();
  void close_file();

  catalogue& files_;
  console& problems_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t filled_ = 0;
  std::vector<piece> pieces_;

  // The file being read. Without one, the descriptor is closed.
  int descriptor_ = -1;
  std::size_t file_ = 0;
  std::uint64_t expected_bytes_ = 0;
};

}  // namespace treesum
