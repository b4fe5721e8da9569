import Synchronization
import Testing

@testable import MenoData

@Suite struct ParallelWorkTests {
    private struct Failure: Error, Equatable { var place: Int }

    /// Squares of the numbers below `count`, taken in order.
    private func squares(
        _ count: Int, workers: Int, ahead: Int = 8, readFails: Int? = nil, workFails: Int? = nil, takeFails: Int? = nil
    ) -> (taken: [Int], read: Int, error: Failure?) {
        var (next, taken): (Int, [Int]) = (0, [])
        do {
            try ParallelWork.inOrder(workers: workers, ahead: ahead) { () throws -> Int? in
                guard next < count else { return nil }
                if next == readFails { throw Failure(place: next) }
                #expect(next - taken.count < ahead)
                next += 1
                return next - 1
            } work: { (number: Int) throws -> Int in
                if number == workFails { throw Failure(place: number) }
                // Later pieces are often done before earlier ones.
                return (0..<(number % 7) * 500).reduce(number * number) { $0 ^ $1 ^ $1 }
            } take: { square in
                if taken.count == takeFails { throw Failure(place: taken.count) }
                taken.append(square)
            }
        } catch {
            return (taken, next, error as? Failure)
        }
        return (taken, next, nil)
    }

    @Test(arguments: [0, 1, 2, 5, 32]) func resultsComeInOrder(_ workers: Int) {
        for count in [0, 1, 7, 500] {
            let (taken, _, error) = squares(count, workers: workers)
            #expect(taken == (0..<count).map { $0 * $0 } && error == nil)
        }
        #expect(squares(100, workers: workers, ahead: 1).taken.count == 100)
    }

    @Test(arguments: [1, 2, 5]) func whatCameBeforeAnErrorIsTaken(_ workers: Int) {
        let read = squares(200, workers: workers, readFails: 50)
        #expect(read.taken.count == 50 && read.error == Failure(place: 50))
        let worked = squares(200, workers: workers, workFails: 60)
        #expect(worked.taken.count == 60 && worked.error == Failure(place: 60) && worked.read <= 69)
        let taken = squares(200, workers: workers, takeFails: 70)
        #expect(taken.taken.count == 70 && taken.error == Failure(place: 70))
    }

    @Test func workIsSpreadOverThreads() {
        let together = Mutex((now: 0, most: 0))
        var next = 0
        try? ParallelWork.inOrder(workers: 3, ahead: 12) { () -> Int? in
            next += 1
            return next <= 200 ? next : nil
        } work: { (number: Int) -> Int in
            together.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            defer { together.withLock { $0.now -= 1 } }
            return (0..<50_000).reduce(number) { $0 ^ $1 ^ $1 }
        } take: { _ in
        }
        #expect(next == 201)
        #expect((1...3).contains(together.withLock { $0.most }))
    }
}
