#pragma once

#include <openssl/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace treesum {

using digest = std::array<unsigned char, 32>;

/// SHA-256, one message after another. Throws std::runtime_error where OpenSSL refuses.
class sha256 {
 public:
  sha256();

  /// Continues the message.
  void update(std::span<const std::byte> bytes);
  /// Ends the message; the next update begins a new one.
  [[nodiscard]] digest finish();
  /// Forgets the message begun.
  void restart();

 private:
  struct free_algorithm {
    void operator()(EVP_MD* algorithm) const noexcept;
  };
  struct free_context {
    void operator()(EVP_MD_CTX* context) const noexcept;
  };

  // Fetched once: looking the algorithm up by name costs more than hashing a small file.
  std::unique_ptr<EVP_MD, free_algorithm> algorithm_;
  std::unique_ptr<EVP_MD_CTX, free_context> context_;
};

}  // namespace treesum
