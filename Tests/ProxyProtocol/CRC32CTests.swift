// CRC-32C against the published vectors.

import ProxyProtocol
import Testing

@Suite struct CRC32CTests {
    @Test(
        "the vectors of RFC 3720, B.4",
        arguments: [
            ([UInt8](repeating: 0, count: 32), 0x8a91_36aa), ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43), (Array(0..<32), 0x46dd_794e),
            ((0..<32).reversed(), 0x113f_db5c),
            (
                [0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18]
                    + [0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0], 0xd996_3a56
            ),
        ] as [([UInt8], UInt32)])
    func vectors(bytes: [UInt8], sum: UInt32) {
        var crc = CRC32C()
        crc.update(bytes)
        #expect(crc.value == sum)
    }

    @Test("parts give the checksum of the whole, cut anywhere; no bytes give 0")
    func parts() {
        for cut in 0...32 {
            var crc = CRC32C()
            #expect(crc.value == 0)
            crc.update(Array(0..<UInt8(cut)))
            crc.update(Array(UInt8(cut)..<32))
            #expect(crc.value == 0x46dd_794e)
        }
    }
}
