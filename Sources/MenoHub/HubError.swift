internal import AsyncHTTPClient
internal import Crypto
internal import NIOCore
internal import NIOHTTP1
