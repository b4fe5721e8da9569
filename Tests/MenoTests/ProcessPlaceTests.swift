import Foundation
import Testing

@testable import Meno

/// Where a process stands among others, by the environment that it was started in.
@Suite struct ProcessPlaceTests {
    private let torchrun = [
        "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "a.example",
        "MASTER_PORT": "29500",
    ]

    @Test func whoIsAloneHasNoPlace() throws {
        #expect(try ProcessPlace([:]) == nil)
        #expect(try ProcessPlace(["RANK": "0", "WORLD_SIZE": "1"]) == nil)
        // A batch script of SLURM, outside of any step.
        #expect(try ProcessPlace(["SLURM_PROCID": "0", "SLURM_NTASKS": "4"]) == nil)
    }

    @Test func torchrunsVariablesAreRead() throws {
        let place = try #require(try ProcessPlace(torchrun))
        #expect(place.rank == 3 && place.size == 4 && place.localRank == 1 && place.localSize == 2)
        #expect(place.rendezvous.host == "a.example" && place.rendezvous.port == 29500)
        #expect(!place.rendezvous.hostsStore && place.rendezvous.address == nil)
        let first = try #require(try ProcessPlace(torchrun.merging(["RANK": "0"]) { $1 }))
        #expect(first.rendezvous.hostsStore)
    }

    @Test func theAgentsStoreIsUsedAndEachAttemptHasItsKeys() throws {
        let agent = ["RANK": "0", "TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RUN_ID": "job"]
        let prefixes = try ["0", "1"].map { attempt in
            let place = try #require(
                try ProcessPlace(
                    torchrun.merging(agent) { $1 }.merging(["TORCHELASTIC_RESTART_COUNT": attempt]) { $1 }))
            #expect(!place.rendezvous.hostsStore)
            return place.rendezvous.prefix
        }
        #expect(prefixes == ["meno/job/0", "meno/job/1"])
    }

    @Test func slurmsVariablesAreRead() throws {
        let slurm = [
            "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "2", "SLURM_LOCALID": "0",
            "SLURM_NODEID": "1", "SLURM_STEP_TASKS_PER_NODE": "2,1", "SLURM_STEP_NODELIST": "gpu[07-08]",
            "SLURM_JOB_ID": "41",
        ]
        let place = try #require(try ProcessPlace(slurm))
        #expect(place.rank == 2 && place.size == 3 && place.localRank == 0 && place.localSize == 1)
        #expect(place.rendezvous.host == "gpu07" && place.rendezvous.port == 20656)
        #expect(try ProcessPlace(slurm.merging(["SLURM_NODEID": "0"]) { $1 })?.localSize == 2)
    }

    @Test(arguments: [
        ("a", "a"), ("a,b", "a"), ("n[03-05,9],b", "n03"), ("rack[1,4]-x[2]", "rack1-x[2]"), ("n[3].lan", "n3.lan"),
    ]) func theFirstHostOfAList(_ list: String, _ host: String) { #expect(ProcessPlace.firstHost(list) == host) }

    @Test func aLoopbackAddressIsListenedOnAlone() throws {
        let place = try #require(try ProcessPlace(torchrun.merging(["MASTER_ADDR": "127.0.0.1"]) { $1 }))
        #expect(place.rendezvous.address == "127.0.0.1")
    }
}
