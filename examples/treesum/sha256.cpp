#include "sha256.hpp"

#include <openssl/evp.h>

#include <stdexcept>

namespace treesum {
namespace {

void require(int openssl_result, const char* step) {
  if (openssl_result != 1) throw std::runtime_error(std::string("OpenSSL: ") + step + " failed");
}

}  // namespace

void sha256::free_algorithm::operator()(EVP_MD* algorithm) const noexcept {
  EVP_MD_free(algorithm);
}

void sha256::free_context::operator()(EVP_MD_CTX* context) const noexcept {
  EVP_MD_CTX_free(context);
}

sha256::sha256()
    : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
  if (algorithm_ == nullptr || context_ == nullptr)
    throw std::runtime_error("OpenSSL: SHA256 is not available");
  restart();
}

void sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()), "EVP_DigestUpdate");
}

digest sha256::finish() {
  digest result;
  require(EVP_DigestFinal_ex(context_.get(), result.data(), nullptr), "EVP_DigestFinal_ex");
  restart();
  return result;
}

void sha256::restart() {
  require(EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr), "EVP_DigestInit_ex2");
}

}  // namespace treesum
