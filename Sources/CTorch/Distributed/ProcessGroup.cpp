#include "../include/CTorchProcessGroup.h"

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../Internal.h"

C10_DECLARE_int(caffe2_log_level);

using namespace meno;

struct ct_process_group {
    c10::intrusive_ptr<c10d::TCPStore> server;
    c10::intrusive_ptr<c10d::Store> store;
    c10::intrusive_ptr<c10d::Backend> backend;
};

struct ct_process_watch {
    // A separate client, since operations of one client wait for each other.
    c10::intrusive_ptr<c10d::TCPStore> client;
    c10::intrusive_ptr<c10d::Store> store;
    c10::intrusive_ptr<c10d::Backend> backend;
    int32_t rank, size;
};

namespace {

using Gloo = c10d::ProcessGroupGloo;

std::chrono::milliseconds milliseconds(double seconds) {
    return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

// A socket on the loopback interface for the store, which would otherwise listen on all interfaces.
int loopback_socket(uint16_t &port) {
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    TORCH_CHECK(descriptor >= 0, "cannot create a socket: ", std::strerror(errno));
    int yes = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t length = sizeof address;
    auto *place = reinterpret_cast<sockaddr *>(&address);
    if (bind(descriptor, place, length) != 0 || getsockname(descriptor, place, &length) != 0) {
        int fault = errno;
        close(descriptor);
        TORCH_CHECK(false, "cannot listen on port ", port, " of 127.0.0.1: ", std::strerror(fault));
    }
    port = ntohs(address.sin_port);
    return descriptor;
}

// Silences c10d's warnings and backtraces about closed connections: Meno's message names the lost process.
void quieten() {
    if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = 2;
}

bool is_loopback(const std::string &host) { return host == "localhost" || host.rfind("127.", 0) == 0; }

}  // namespace

ct_status ct_process_group_join(const ct_rendezvous *at, ct_process_group **result) {
    return guarded([&] {
        quieten();
        auto group = std::make_unique<ct_process_group>();
        c10d::TCPStoreOptions options;
        options.port = at->port;
        if (at->hosts_store && is_loopback(at->host)) options.masterListenFd = loopback_socket(options.port);
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
        // Gloo waits five minutes for missing processes, whatever its timeout.
        std::vector<std::string> everybody;
        for (int32_t rank = 0; rank < at->size; ++rank) everybody.push_back("joined/" + std::to_string(rank));
        group->store->set(everybody[at->rank], std::vector<uint8_t>{1});
        group->store->wait(everybody, milliseconds(at->join_timeout));
        group->backend = c10::make_intrusive<Gloo>(group->store, at->rank, at->size, gloo);
        *result = group.release();
    });
}

void ct_process_group_leave(ct_process_group *group) { delete group; }

ct_status ct_process_watch_begin(
    const ct_process_group *group, const ct_rendezvous *at, ct_process_watch **result) {
    return guarded([&] {
        auto watch = std::make_unique<ct_process_watch>();
        c10d::TCPStoreOptions options;
        options.port = group->server->getPort();
        options.waitWorkers = false;
        options.timeout = milliseconds(at->join_timeout);
        watch->client = c10::make_intrusive<c10d::TCPStore>(at->host, options);
        watch->store = c10::make_intrusive<c10d::PrefixStore>(at->prefix, watch->client);
        watch->backend = group->backend;
        watch->rank = at->rank;
        watch->size = at->size;
        *result = watch.release();
    });
}

ct_status ct_process_watch_beat(ct_process_watch *watch, int64_t own, int64_t *beats) {
    return guarded([&] {
        for (int32_t rank = 0; rank < watch->size; ++rank)
            beats[rank] = watch->store->add("beat/" + std::to_string(rank), rank == watch->rank ? own : 0);
    });
}

void ct_process_watch_abort(ct_process_watch *watch) {
    (void)guarded([&] { watch->backend->abort(); });
}

void ct_process_watch_end(ct_process_watch *watch) { delete watch; }

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
        // The backend moves from the sizes.
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
