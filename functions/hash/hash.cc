// MD5, SHA1, SHA2 over the bytes of a text, as hexadecimal digits (OpenSSL).
#include <fmt/format.h>
#include <openssl/evp.h>

#include "functions/register_all.h"
#include "functions/signature.h"
#include "runtime/spi/kernel.h"

namespace millrace {

namespace {

std::string digest_hex(const EVP_MD* algorithm, std::string_view text) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), bytes, &size, algorithm, nullptr);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 15];
  }
  return hex;
}

template <const EVP_MD* (*kAlgorithm)()>
void digest_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  const EVP_MD* algorithm = kAlgorithm();
  for (uint32_t row : call.rows) put_text(call, row, digest_hex(algorithm, a.text(row)));
}

const EVP_MD* sha2_algorithm(int64_t bits) {
  switch (bits) {
    case 224:
      return EVP_sha224();
    case 256:
      return EVP_sha256();
    case 384:
      return EVP_sha384();
    case 512:
      return EVP_sha512();
    default:
      return nullptr;
  }
}

void sha2_kernel(const KernelArgs& call) {
  TextReader a(call, 0);
  IntegerReader bits(call, 1);
  for (uint32_t row : call.rows) {
    const EVP_MD* algorithm = sha2_algorithm(bits[row]);
    if (algorithm != nullptr) {
      put_text(call, row, digest_hex(algorithm, a.text(row)));
    } else {
      call.fail(row, fmt::format("SHA2 has 224, 256, 384 and 512 bits, not {}", bits[row]));
    }
  }
}

template <const EVP_MD* (*kAlgorithm)()>
void add_digest(FunctionRegistry& registry, std::string name, int digits) {
  add_plain(registry, {.name = std::move(name),
                       .args = {ArgClass::kText},
                       .result = make_text(TypeKind::kChar, digits, false),
                       .kernel = digest_kernel<kAlgorithm>,
                       .help = "hash as hexadecimal digits"});
}

}  // namespace

void register_hash(FunctionRegistry& registry) {
  add_digest<EVP_md5>(registry, "MD5", 32);
  add_digest<EVP_sha1>(registry, "SHA1", 40);
  add_digest<EVP_sha224>(registry, "SHA224", 56);
  add_digest<EVP_sha256>(registry, "SHA256", 64);
  add_digest<EVP_sha384>(registry, "SHA384", 96);
  add_digest<EVP_sha512>(registry, "SHA512", 128);
  add_plain(registry, {.name = "SHA2",
                       .args = {ArgClass::kText, ArgClass::kInteger},
                       .result = make_text(TypeKind::kVarchar, 128, false),
                       .kernel = sha2_kernel,
                       .help = "SHA2(text, bits)"});
}

}  // namespace millrace
