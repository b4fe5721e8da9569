internal import Foundation
internal import NIOCore
internal import NIOHTTP1

/// Answers the requests of one connection.
final class HubHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let state: HubState
    private let isCDN: Bool
    private var head: HTTPRequestHead?

    init(_ state: HubState, isCDN: Bool) { (self.state, self.isCDN) = (state, isCDN) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            self.head = nil
            answer(head, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let request = HubServer.Request(
            method: head.method.rawValue, path: head.uri, isCDN: isCDN, range: head.headers.first(name: "Range"),
            authorization: head.headers.first(name: "Authorization"))
        let (values, trouble) = state.take(request)
        var heedsRange = true
        if case .wholeFile = trouble { heedsRange = false }
        var answer =
            isCDN
            ? HubAnswer.cdn(request, values, heedsRange: heedsRange)
            : HubAnswer.hub(request, values, heedsRange: heedsRange)
        var body = ByteBuffer(bytes: head.method == .HEAD ? Data() : answer.body)
        var (length, end, rate): (Int?, End, Int?) = (answer.body.count, .whole, nil)
        switch trouble {
        case .status(let status, let headers):
            answer = HubAnswer(status: status, headers: headers)
            (length, body) = (0, ByteBuffer())
        case .cut(let count): (body, end) = (body.getSlice(at: 0, length: min(count, body.readableBytes)) ?? body, .cut)
        case .stall(let count):
            (body, end) = (body.getSlice(at: 0, length: min(count, body.readableBytes)) ?? body, .stall)
        case .corrupt:
            let last = body.writerIndex - 1
            if last >= 0, let byte: UInt8 = body.getInteger(at: last) { body.setInteger(byte ^ 1, at: last) }
        case .tooLong:
            body.writeString("more")
            length = nil
        case .wrongRange: answer.headers["Content-Range"] = "bytes 0-1/\(answer.body.count)"
        case .slow(let bytes): rate = bytes
        case .without(let name): answer.headers[name] = nil
        case .with(let name, let value): answer.headers[name] = value
        case .wholeFile, nil: break
        }
        var headers = HTTPHeaders(answer.headers.map { ($0.key, $0.value) })
        if let length { headers.add(name: "Content-Length", value: "\(length)") }
        let status = HTTPResponseStatus(statusCode: answer.status)
        context.write(wrapOutboundOut(.head(.init(version: .http1_1, status: status, headers: headers))), promise: nil)
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        Self.send(body, rate: rate, end, isKeptAlive: head.isKeepAlive, loopBound)
    }

    private enum End {
        case whole, cut, stall
    }

    /// Writes a body, in pieces where it is to come slowly.
    private static func send(
        _ body: ByteBuffer, rate: Int?, _ end: End, isKeptAlive: Bool,
        _ place: NIOLoopBound<(HubHandler, ChannelHandlerContext)>
    ) {
        let (handler, context) = place.value
        guard context.channel.isActive else { return }
        var body = body
        if let rate, body.readableBytes > rate / 20, let piece = body.readSlice(length: max(1, rate / 20)) {
            context.writeAndFlush(handler.wrapOutboundOut(.body(.byteBuffer(piece))), promise: nil)
            let rest = body
            context.eventLoop.scheduleTask(in: .milliseconds(50)) {
                send(rest, rate: rate, end, isKeptAlive: isKeptAlive, place)
            }
            return
        }
        context.write(handler.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        switch end {
        case .whole:
            let done = context.writeAndFlush(handler.wrapOutboundOut(.end(nil)))
            if !isKeptAlive { done.whenComplete { _ in place.value.1.close(promise: nil) } }
        case .cut:
            context.flush()
            context.close(promise: nil)
        case .stall: context.flush()
        }
    }
}
