import Foundation
import MenoTensor
import MenoTesting
import Testing

@Suite struct ProcessGroupTests {
    /// Runs a body on every rank of a group, and returns what each returned, by rank.
    private func together<Value: Sendable>(
        _ size: Int, _ body: @escaping @Sendable (ProcessGroup) throws -> Value
    ) throws -> [Value] {
        try Ranks.run(size) { rank, port in
            var place = ProcessGroup.Rendezvous(
                host: "127.0.0.1", port: port, hostsStore: rank == 0, address: "127.0.0.1")
            place.joinTimeout = 20
            place.timeout = 20
            let group = try ProcessGroup(rank: rank, size: size, at: place)
            let value = try body(group)
            // The store goes with rank 0: everybody is done before.
            try group.barrier()
            return value
        }
    }

    @Test(arguments: [2, 3]) func everybodyGetsEverybodysTensors(_ size: Int) throws {
        let gathered = try together(size) { group in
            try group.gather(Tensor([Float(group.rank), 0.5])).map { try $0.array(of: Float.self) }
        }
        let expected = (0..<size).map { [Float($0), 0.5] }
        #expect(gathered == Array(repeating: expected, count: size))
    }

    @Test func partsOfAnySizeGoToTheirRank() throws {
        let received = try together(3) { group in
            // Rank r sends r + 1 numbers to each, which name both ends.
            let parts = try (0..<3).map { to in
                try Tensor([Float](repeating: Float(10 * group.rank + to), count: group.rank + 1))
            }
            return try group.exchange(parts, shapes: (0..<3).map { [$0 + 1] }).map { try $0.array(of: Float.self) }
        }
        for rank in 0..<3 {
            #expect(received[rank] == (0..<3).map { Array(repeating: Float(10 * $0 + rank), count: $0 + 1) })
        }
    }

    @Test func whatOneDecidesAllKnow() throws {
        let agreed = try together(3) { group in
            (try group.agree(group.rank * 7), try group.agree(ifAny: group.rank == 2), try group.agree(ifAny: false))
        }
        for (all, any, none) in agreed { #expect(all == [0, 7, 14] && any && !none) }
    }

    @Test func aTensorIsBroadcast() throws {
        let values = try together(2) { group in
            let tensor = try Tensor([Float(group.rank), 3])
            try group.broadcast_(tensor, from: 1)
            return try tensor.array(of: Float.self)
        }
        #expect(values == [[1, 3], [1, 3]])
    }

    @Test func aGroupOfOneWaitsForNobody() throws {
        let group = ProcessGroup()
        #expect(group.rank == 0 && group.size == 1)
        #expect(try group.agree(5) == [5] && group.agree(ifAny: true) && !group.agree(ifAny: false))
        let tensor = try Tensor([Float(4)])
        #expect(try group.gather(tensor)[0] === tensor)
        try group.barrier()
    }

    @Test func whoFailsIsNamedToThoseThatWaitForIt() throws {
        let messages = try Ranks.run(2) { rank, port in
            var place = ProcessGroup.Rendezvous(
                host: "127.0.0.1", port: port, hostsStore: rank == 0, address: "127.0.0.1")
            (place.joinTimeout, place.timeout) = (20, 20)
            let group = try ProcessGroup(rank: rank, size: 2, at: place)
            group.beginWatching { verdict in fatalError(verdict) }
            guard rank == 0 else {
                group.watch?.tellFailure()
                // It is there as long as the other one waits.
                Thread.sleep(forTimeInterval: 2)
                group.watch?.end()
                return ""
            }
            let error = #expect(throws: TorchError.self) { try group.barrier() }
            group.watch?.end()
            return error.map { "\($0.code): \($0.message)" } ?? ""
        }
        #expect(messages[0] == "processLost: rank 1 failed: see its error message.")
    }

    @Test func whoDoesNotComeIsMissed() throws {
        let port = try LoopbackPort.free()
        var place = ProcessGroup.Rendezvous(host: "127.0.0.1", port: port, hostsStore: true, address: "127.0.0.1")
        place.joinTimeout = 0.5
        #expect(throws: TorchError.self) { _ = try ProcessGroup(rank: 0, size: 2, at: place) }
    }
}
