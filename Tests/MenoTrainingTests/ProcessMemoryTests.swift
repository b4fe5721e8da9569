import MenoTensor
import MenoTraining
import Testing

@Suite(.serialized) struct ProcessMemoryTests {
    @Test func residentMemoryGrowsWithWhatIsTouched() {
        let before = ProcessMemory.current()
        #expect(before.resident > 1 << 20)
        let size = 64 << 20
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
        defer { bytes.deallocate() }
        bytes.initializeMemory(as: UInt8.self, repeating: 1, count: size)
        let after = ProcessMemory.current()
        #expect(after.peakResident >= before.resident + size / 2)
        #expect(after.peakResident >= after.resident)
    }

    #if os(Linux)
        /// Pieces too small to be mapped one by one stay with the allocator when they are freed, held by one above them.
        @Test func releasedMemoryLeavesTheProcess() throws {
            let (count, bytes) = (4096, 64 << 10)
            var pieces = try (0..<count).map { _ in
                let piece = try Tensor(uninitialized: [bytes / 4], dtype: .float32)
                _ = try piece.withMutableBytes { $0.initializeMemory(as: UInt8.self, repeating: 1) }
                return piece
            }
            let last = pieces.removeLast()
            pieces.removeAll()
            let held = ProcessMemory.current().resident
            Torch.releaseUnusedHostMemory()
            let released = ProcessMemory.current().resident
            #expect(last.count == bytes / 4)
            #expect(released <= held - count * bytes / 2)
        }
    #endif
}
