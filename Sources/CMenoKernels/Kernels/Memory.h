// Memory for what is packed or computed by the way.
#pragma once

#include <ATen/ops/empty.h>

#include <cstdint>
#include <vector>

namespace meno {

// Memory of one piece of work, freed with it; aligned to 64 bytes, without which vectors and tiles load at half the speed.
class Memory {
  public:
    template <class Value>
    Value *take(int64_t count) {
        parts_.push_back(at::empty({count * static_cast<int64_t>(sizeof(Value))}, at::kByte));
        return reinterpret_cast<Value *>(parts_.back().data_ptr());
    }

  private:
    std::vector<at::Tensor> parts_;
};

}  // namespace meno
