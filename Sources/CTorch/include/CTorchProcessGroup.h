// Processes that train together, over libtorch's c10d with Gloo.
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
    uint16_t port;     // of the store; 0 where this process hosts it: a free one
    bool hosts_store;
    const char *prefix;     // of the store's keys: tells groups apart that use one store
    const char *interface;  // the network interface that this process listens on; null: by `address`
    const char *address;    // the address or host name that it listens on; null: this machine's
    int32_t rank, size;
    double join_timeout;  // seconds until all processes must be there
    double timeout;       // seconds that an operation may take
} ct_rendezvous;

// Waits until every process of the group is there. A store on a loopback address listens there alone.
ct_status ct_process_group_join(const ct_rendezvous *at, ct_process_group **result);
void ct_process_group_leave(ct_process_group *group);
// The port of the store.
uint16_t ct_process_group_port(const ct_process_group *group);

// A second way to the store, for a thread of its own. It may outlive the group.
ct_status ct_process_watch_begin(const ct_process_group *group, const ct_rendezvous *at, ct_process_watch **result);
// Adds `own` to this process's number, and reads those of all, by rank. Waits as long as the store does not answer.
ct_status ct_process_watch_beat(ct_process_watch *watch, int64_t own, int64_t *beats);
// Lets operations of the group that are waiting fail. From any thread.
void ct_process_watch_abort(ct_process_watch *watch);
void ct_process_watch_end(ct_process_watch *watch);

// The following take contiguous tensors on the CPU and are called by every process in the same order.

// Every process's `part`, of one shape and type, into `parts[rank]`.
ct_status ct_process_group_gather(
    ct_process_group *group, const ct_tensor *part, ct_tensor *const *parts, int64_t count);
// `outgoing[rank]` to each process, and what each sends to this one into `incoming[rank]`; all of one type.
ct_status ct_process_group_exchange(
    ct_process_group *group, ct_tensor *const *outgoing, ct_tensor *const *incoming, int64_t count);
// `root`'s tensor into everybody's.
ct_status ct_process_group_broadcast(ct_process_group *group, ct_tensor *tensor, int32_t root);

#ifdef __cplusplus
}
#endif
