// Calls any ATen operator by name: its dispatcher handle is looked up once and called boxed.

#include <ATen/core/dispatch/Dispatcher.h>

#include "Internal.h"

using namespace meno;

namespace {

c10::IValue value_of(const ct_value &value, const c10::Argument &argument) {
    switch (value.tag) {
        case CT_VALUE_NONE: return {};
        case CT_VALUE_DEFAULT:
            TORCH_CHECK(argument.default_value().has_value(), "argument ", argument.name(), " has no default");
            return *argument.default_value();
        case CT_VALUE_TENSOR: return value.as.tensor->value;
        case CT_VALUE_INT: {
            auto kind = argument.type()->kind();
            if (auto optional = argument.type()->cast<c10::OptionalType>()) kind = optional->getElementType()->kind();
            if (kind == c10::TypeKind::FloatType) return static_cast<double>(value.as.integer);
            return value.as.integer;
        }
        case CT_VALUE_DOUBLE: return value.as.real;
        case CT_VALUE_BOOL: return value.as.boolean;
        case CT_VALUE_INT_LIST: {
            auto items = static_cast<const int64_t *>(value.as.list.items);
            return c10::List<int64_t>(at::IntArrayRef(items, value.as.list.count));
        }
        case CT_VALUE_TENSOR_LIST: {
            c10::List<at::Tensor> tensors;
            auto items = static_cast<const ct_tensor *const *>(value.as.list.items);
            tensors.reserve(value.as.list.count);
            for (int64_t i = 0; i < value.as.list.count; ++i) tensors.push_back(items[i]->value);
            return tensors;
        }
        case CT_VALUE_DEVICE: return device_of(value.as.device);
        case CT_VALUE_STRING: return std::string(value.as.string);
    }
    TORCH_CHECK(false, "unknown value tag ", static_cast<int>(value.tag));
}

void collect(const c10::IValue &value, std::vector<at::Tensor> &tensors) {
    if (value.isTensor()) {
        tensors.push_back(value.toTensor());
    } else if (value.isTensorList()) {
        for (const at::Tensor &tensor : value.toTensorVector()) tensors.push_back(tensor);
    }
}

// Calls an operator and returns its results.
torch::jit::Stack called(const ct_operator &op, const ct_value *arguments, int64_t argument_count) {
    const auto &schema = op.handle.schema();
    const auto &expected = schema.arguments();
    TORCH_CHECK(
        argument_count <= static_cast<int64_t>(expected.size()), schema.name(), " takes ", expected.size(),
        " arguments, got ", argument_count);
    torch::jit::Stack stack;
    stack.reserve(expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
        static constexpr ct_value absent{CT_VALUE_DEFAULT, {}};
        stack.push_back(value_of(static_cast<int64_t>(i) < argument_count ? arguments[i] : absent, expected[i]));
    }
    op.handle.callBoxed(stack);
    return stack;
}

}  // namespace

ct_status ct_operator_find(const char *name, const char *overload, ct_operator **result) {
    ct_status status = guarded([&] {
        auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
        *result = handle ? new ct_operator{*handle} : nullptr;
    });
    if (status.code == CT_OK && *result == nullptr) {
        std::string message = std::string("libtorch has no operator ") + name + (*overload ? "." : "") + overload;
        return failure(CT_UNKNOWN_OPERATOR, message.c_str());
    }
    return status;
}

ct_status ct_operator_call(
    const ct_operator *op, const ct_value *arguments, int64_t argument_count, ct_tensor **results, int64_t capacity,
    int64_t *count) {
    return guarded([&] {
        std::vector<at::Tensor> tensors;
        for (const auto &value : called(*op, arguments, argument_count)) collect(value, tensors);
        TORCH_CHECK(
            static_cast<int64_t>(tensors.size()) <= capacity, op->handle.schema().name(), " returned ", tensors.size(),
            " tensors, room for ", capacity);
        *count = static_cast<int64_t>(tensors.size());
        for (size_t i = 0; i < tensors.size(); ++i) results[i] = wrap(std::move(tensors[i]));
    });
}

ct_status ct_operator_ask(const ct_operator *op, const ct_value *arguments, int64_t argument_count, bool *result) {
    return guarded([&] {
        torch::jit::Stack answer = called(*op, arguments, argument_count);
        TORCH_CHECK(answer.size() == 1 && answer[0].isBool(), op->handle.schema().name(), " does not return a boolean");
        *result = answer[0].toBool();
    });
}
