#include "../include/CTorchProcessGroup.h"

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "../Internal.h"

using namespace meno;

struct ct_process_group {
    c10::intrusive_ptr<c10d::TCPStore> server;
    c10::intrusive_ptr<c10d::Store> store;
    c10::intrusive_ptr<c10d::Backend> backend;
};

namespace {

using Gloo = c10d::ProcessGroupGloo;

std::chrono::milliseconds milliseconds(double seconds) {
    return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

}  // namespace

ct_status ct_process_group_join(const ct_rendezvous *at, ct_process_group **result) {
    return guarded([&] {
        auto group = std::make_unique<ct_process_group>();
        c10d::TCPStoreOptions options;
        options.port = at->port;
        options.isServer = at->hosts_store;
        options.numWorkers = static_cast<std::size_t>(at->size);
        options.waitWorkers = false;
        options.timeout = milliseconds(at->join_timeout);
        group->server = c10::make_intrusive<c10d::TCPStore>(at->host, options);
        group->store = c10::make_intrusive<c10d::PrefixStore>(at->prefix, group->server);
        auto gloo = Gloo::Options::create(milliseconds(at->timeout));
        gloo->devices.push_back(
            at->interface ? Gloo::createDeviceForInterface(at->interface)
            : at->address ? Gloo::createDeviceForHostname(at->address)
                          : Gloo::createDefaultDevice());
        // Gloo itself waits five minutes for those who do not come, whatever it is told.
        std::vector<std::string> everybody;
        for (int32_t rank = 0; rank < at->size; ++rank) everybody.push_back("joined/" + std::to_string(rank));
        group->store->set(everybody[at->rank], std::vector<uint8_t>{1});
        group->store->wait(everybody, milliseconds(at->join_timeout));
        group->backend = c10::make_intrusive<Gloo>(group->store, at->rank, at->size, gloo);
        *result = group.release();
    });
}

void ct_process_group_leave(ct_process_group *group) { delete group; }

uint16_t ct_process_group_port(const ct_process_group *group) { return group->server->getPort(); }

ct_status ct_process_group_gather(ct_process_group *group, const ct_tensor *part, ct_tensor *const *parts, int64_t count) {
    return guarded([&] {
        std::vector<at::Tensor> inputs{part->value};
        std::vector<std::vector<at::Tensor>> outputs(1);
        for (int64_t i = 0; i < count; ++i) outputs[0].push_back(parts[i]->value);
        group->backend->allgather(outputs, inputs)->wait();
    });
}

ct_status ct_process_group_exchange(
    ct_process_group *group, ct_tensor *const *outgoing, ct_tensor *const *incoming, int64_t count) {
    return guarded([&] {
        std::vector<at::Tensor> sent, received;
        std::vector<int64_t> sent_sizes, received_sizes;
        for (int64_t i = 0; i < count; ++i) {
            sent.push_back(outgoing[i]->value.reshape({-1}));
            received.push_back(incoming[i]->value);
            sent_sizes.push_back(outgoing[i]->value.numel());
            received_sizes.push_back(incoming[i]->value.numel());
        }
        at::Tensor input = at::cat(sent), output = at::empty({0}, input.options());
        int64_t total = 0;
        for (int64_t size : received_sizes) total += size;
        output.resize_({total});
        // The backend moves the sizes away.
        group->backend->alltoall_base(output, input, received_sizes, sent_sizes)->wait();
        int64_t start = 0;
        for (at::Tensor &each : received) {
            each.copy_(output.narrow(0, start, each.numel()).view(each.sizes()));
            start += each.numel();
        }
    });
}

ct_status ct_process_group_broadcast(ct_process_group *group, ct_tensor *tensor, int32_t root) {
    return guarded([&] {
        std::vector<at::Tensor> tensors{tensor->value};
        c10d::BroadcastOptions options;
        options.rootRank = root;
        group->backend->broadcast(tensors, options)->wait();
    });
}
