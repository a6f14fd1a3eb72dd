#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

/// Private to the module: OpenSSL's objects with owners.
namespace roadstead::crypto::openssl {

template <typename T, void (*free)(T*)>
struct Deleter {
  void operator()(T* object) const { free(object); }
};
template <typename T, void (*free)(T*)>
using Owned = std::unique_ptr<T, Deleter<T, free>>;

using Bio = Owned<BIO, BIO_free_all>;
using CipherContext = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using DigestContext = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Certificate = Owned<X509, X509_free>;
using Extension = Owned<X509_EXTENSION, X509_EXTENSION_free>;

/// Takes the errors of a failed call off this thread's queue: left there, they would be mistaken
/// for errors of the next TLS call on this thread.
class ErrorScope {
 public:
  ErrorScope() { ERR_set_mark(); }
  ~ErrorScope() { ERR_pop_to_mark(); }
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
};

/// Reads from `text`, which outlives the result.
Bio reader(std::string_view text);
/// Collects what is written.
Bio collector();
std::string collected(const Bio& bio);

/// libtrust key id of an RSA key.
std::string key_id(const Key& key);

}  // namespace roadstead::crypto::openssl
