#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace roadstead::http {

/// Growing bytes without the zero-fill of std::string: received data overwrites them anyway.
class ByteBuffer {
 public:
  [[nodiscard]] char* data() { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::string_view text() const { return {data_.get(), size_}; }

  /// Room behind the content; filled bytes count after commit().
  [[nodiscard]] std::span<char> room() { return {data_.get() + size_, capacity_ - size_}; }
  void commit(std::size_t bytes) { size_ += bytes; }
  void clear() { size_ = 0; }
  void resize_down(std::size_t size) { size_ = std::min(size_, size); }

  /// Makes the capacity at least `capacity`. Moves the content, so views into it end.
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) {
      return;
    }
    auto grown = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) {
      std::memcpy(grown.get(), data_.get(), size_);
    }
    data_ = std::move(grown);
    capacity_ = capacity;
  }
  /// Doubles as needed. Moves the content, so views into it end.
  void append(std::string_view bytes) {
    if (bytes.empty()) {
      return;
    }
    if (size_ + bytes.size() > capacity_) {
      reserve(std::max(size_ + bytes.size(), capacity_ * 2));
    }
    std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void remove_front(std::size_t bytes) {
    size_ -= bytes;
    if (size_ > 0 && bytes > 0) {
      std::memmove(data_.get(), data_.get() + bytes, size_);
    }
  }
  void release() {
    data_.reset();
    size_ = 0;
    capacity_ = 0;
  }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace roadstead::http
