// The processes of a distributed run, over libtorch's c10d with Gloo.
#pragma once

#include "CTorch.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ct_process_group ct_process_group;
typedef struct ct_process_watch ct_process_watch;

// Where the processes of a group meet.
typedef struct ct_rendezvous {
    const char *host;  // of the store
    uint16_t port;     // of the store; if this process hosts it, 0 picks a free port
    bool hosts_store;
    const char *prefix;     // of the store's keys, which keeps groups that share a store separate
    const char *interface;  // the network interface that this process listens on; null: the one with `address`
    const char *address;    // the address or host name that it listens on; null: this machine's
    int32_t rank, size;
    double join_timeout;  // seconds for all processes to join
    double timeout;       // seconds for one operation
} ct_rendezvous;

// Waits until every process of the group has joined. A store on a loopback address listens only there.
ct_status ct_process_group_join(const ct_rendezvous *at, ct_process_group **result);
void ct_process_group_leave(ct_process_group *group);
// The port of the store.
uint16_t ct_process_group_port(const ct_process_group *group);

// A separate connection to the store for a background thread. It may outlive the group.
ct_status ct_process_watch_begin(const ct_process_group *group, const ct_rendezvous *at, ct_process_watch **result);
// Adds `own` to this process's number and reads those of all processes, by rank. Blocks while the store does not answer.
ct_status ct_process_watch_beat(ct_process_watch *watch, int64_t own, int64_t *beats);
// Makes waiting operations of the group fail. Can be called from any thread.
void ct_process_watch_abort(ct_process_watch *watch);
void ct_process_watch_end(ct_process_watch *watch);

// The following take contiguous tensors on the CPU and are called by every process in the same order.

// Collects every process's `part` in `parts[rank]`. All have the same shape and type.
ct_status ct_process_group_gather(
    ct_process_group *group, const ct_tensor *part, ct_tensor *const *parts, int64_t count);
// Sends `outgoing[rank]` to each process and receives theirs in `incoming[rank]`. All have the same type.
ct_status ct_process_group_exchange(
    ct_process_group *group, ct_tensor *const *outgoing, ct_tensor *const *incoming, int64_t count);
// Copies `root`'s tensor to all processes.
ct_status ct_process_group_broadcast(ct_process_group *group, ct_tensor *tensor, int32_t root);

#ifdef __cplusplus
}
#endif
