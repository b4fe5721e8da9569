import MenoTraining
import Testing

@Suite struct ProcessMemoryTests {
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
}
