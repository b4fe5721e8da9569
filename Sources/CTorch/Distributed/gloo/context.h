// libtorch contains Gloo but not its headers. ProcessGroupGloo.hpp needs these names; Meno never uses their contents.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace gloo {

class Context {
public:
    void setTimeout(std::chrono::milliseconds timeout);
};

namespace transport {
class Device;
class UnboundBuffer {
public:
    virtual ~UnboundBuffer() = 0;
};
}  // namespace transport

namespace rendezvous {
// Only libtorch's internal subclass is ever instantiated.
class Store {
public:
    virtual ~Store();
    virtual void set(const std::string &key, const std::vector<char> &value) = 0;
    virtual std::vector<char> get(const std::string &key) = 0;
    virtual void wait(const std::vector<std::string> &keys) = 0;
    virtual void wait(const std::vector<std::string> &keys, const std::chrono::milliseconds &timeout) = 0;
};
}  // namespace rendezvous

}  // namespace gloo
