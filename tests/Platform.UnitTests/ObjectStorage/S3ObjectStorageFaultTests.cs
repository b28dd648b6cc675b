using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>What the S3 client makes of a server that fails, stalls, lies and breaks off: it tries again what may pass, and says clearly what does not.</summary>
public sealed class S3ObjectStorageFaultTests : IAsyncLifetime
{
    private const int Length = 100_003;
    private readonly ImpatientTime _time = new();
    private MisbehavingS3Server _server = null!;
    private S3ObjectStorage _storage = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static byte[] Bytes => Pattern.Bytes(Length);

    public async ValueTask InitializeAsync()
    {
        _server = await MisbehavingS3Server.StartAsync();
        _storage = _server.Open(_time);
    }

    public async ValueTask DisposeAsync()
    {
        _storage.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(500, "InternalError")]
    [InlineData(502, "BadGateway")]
    [InlineData(503, "SlowDown")]
    [InlineData(429, "TooManyRequests")]
    [InlineData(400, "RequestTimeout")]
    public async Task AnyCall_FaultThatPasses_IsTriedAgainAfterGrowingPauses(int status, string code)
    {
        _server.Store("k", Bytes);
        _server.Misbehave("GET", MisbehavingS3Server.Error(status, code), times: 3);
        _server.Misbehave("PUT", MisbehavingS3Server.Error(status, code), times: 3);

        Assert.Equal(Bytes, await ReadAsync());
        await _storage.PutAsync("other", Bytes, cancellationToken: Token);

        var pauses = _time.Pauses.Where(pause => pause < TimeSpan.FromSeconds(10)).Select(pause => pause.TotalMilliseconds).ToList();
        Assert.Equal(6, pauses.Count);
        for (var i = 0; i < 6; i++)
        {
            var middle = 50 * Math.Pow(2, i % 3);
            Assert.InRange(pauses[i], middle / 2, middle * 1.5);
        }

        Assert.Equal(8, _server.Requests.Count);
    }

    [Theory]
    [InlineData(503, "SlowDown", StorageError.Unavailable, 4)]
    [InlineData(403, "AccessDenied", StorageError.Unavailable, 1)]
    [InlineData(404, "NoSuchBucket", StorageError.NotFound, 1)]
    [InlineData(507, "InsufficientStorage", StorageError.Full, 1)]
    [InlineData(501, "NotImplemented", StorageError.Unavailable, 1)]
    [InlineData(400, "BadDigest", StorageError.Corrupt, 1)]
    public async Task Put_FaultThatStays_IsTypedAndNamesTheKey(int status, string code, StorageError expected, int tries)
    {
        _server.Misbehave("PUT", MisbehavingS3Server.Error(status, code), times: tries);

        var error = await Assert.ThrowsAsync<StorageException>(() => _storage.PutAsync("some/key", Bytes, cancellationToken: Token));

        Assert.Equal(expected, error.Error);
        Assert.Contains("some/key", error.Message, StringComparison.Ordinal);
        Assert.Equal(tries, _server.Requests.Count);
    }

    [Fact]
    public async Task Read_ServerAsksToComeBackLater_WaitsThatLongAtLeast()
    {
        _server.Store("k", Bytes);
        _server.Misbehave("GET", async (context, item) =>
        {
            context.Response.Headers.RetryAfter = "7";
            return await MisbehavingS3Server.Error(503, "SlowDown")(context, item);
        });

        Assert.Equal(Bytes, await ReadAsync());

        Assert.InRange(Assert.Single(_time.Pauses), TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task Read_BodyBreaksOff_GoesOnWhereItBrokeOff()
    {
        var etag = _server.Store("k", Bytes);
        _server.Misbehave("GET", MisbehavingS3Server.Body(bytes => bytes.AsMemory(0, 40_000)), times: 2);

        Assert.Equal(Bytes, await ReadAsync());

        Assert.Equal(["bytes=0-100002", "bytes=40000-100002", "bytes=80000-100002"], _server.Requests.Select(request => request.Split(' ')[^1]));
        Assert.NotEmpty(etag);
    }

    [Fact]
    public async Task Read_BodyBreaksOffEachTime_IsTruncated()
    {
        _server.Store("k", Bytes);
        _server.Misbehave("GET", MisbehavingS3Server.Body(bytes => bytes.AsMemory(0, 10)), times: 4);

        var error = await Assert.ThrowsAsync<StorageException>(ReadAsync);

        Assert.Equal(StorageError.Truncated, error.Error);
        Assert.Contains("4 times", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(40_000)]
    public async Task Read_ConnectionIsReset_IsTriedAgain(int afterBytes)
    {
        _server.Store("k", Bytes);
        _server.Misbehave("GET", MisbehavingS3Server.Reset(afterBytes), times: 3);

        Assert.Equal(Bytes, await ReadAsync());
    }

    [Fact]
    public async Task Put_ConnectionIsResetEachTime_IsUnavailable()
    {
        // The SDK tries a reset connection ten times on its own before it tells us.
        _server.Misbehave("PUT", MisbehavingS3Server.Reset(-1), times: 1000);

        var error = await Assert.ThrowsAsync<StorageException>(() => _storage.PutAsync("k", new byte[10], cancellationToken: Token));

        Assert.Equal(StorageError.Unavailable, error.Error);
        Assert.Contains("4 tries", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(40_000)]
    public async Task Read_ServerFallsSilent_IsCutAndTriedAgain(int afterBytes)
    {
        _server.Store("k", Bytes);
        var stalls = new TaskCompletionSource();
        _server.Misbehave("GET", MisbehavingS3Server.Stall(afterBytes, stalls));

        var read = ReadAsync();
        await stalls.Task.WaitAsync(Token);
        _time.EndSilence();

        Assert.Equal(Bytes, await read);
        Assert.Equal(2, _server.Requests.Count);
    }

    [Fact]
    public async Task Read_ServerIsSilentEachTime_SaysForHowLong()
    {
        _server.Store("k", Bytes);
        using var storage = new S3ObjectStorage(_server.Options() with { MaxTries = 2 }, _time);
        var stalls = new[] { new TaskCompletionSource(), new TaskCompletionSource() };
        _server.Misbehave("GET", MisbehavingS3Server.Stall(0, stalls[0])).Misbehave("GET", MisbehavingS3Server.Stall(0, stalls[1]));

        var read = storage.ReadAsync("k", 0, new byte[Length], cancellationToken: Token);
        foreach (var stall in stalls)
        {
            await stall.Task.WaitAsync(Token);
            _time.EndSilence();
        }

        var error = await Assert.ThrowsAsync<StorageException>(() => read);
        Assert.Equal(StorageError.Unavailable, error.Error);
        Assert.Contains("silent for 30 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_CallerGivesUpDuringAStall_IsCancelledAndNotTriedAgain()
    {
        _server.Store("k", Bytes);
        var stalls = new TaskCompletionSource();
        _server.Misbehave("GET", MisbehavingS3Server.Stall(10, stalls));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);

        var read = _storage.ReadAsync("k", 0, new byte[Length], cancellationToken: stop.Token);
        await stalls.Task.WaitAsync(Token);
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
        Assert.Single(_server.Requests);
    }

    [Theory]
    [InlineData(ObjectChecksumAlgorithm.Crc32C)]
    [InlineData(ObjectChecksumAlgorithm.Crc64Nvme)]
    public async Task Read_DamagedBody_IsFoundByTheChecksum(ObjectChecksumAlgorithm algorithm)
    {
        _server.Keeps = algorithm;
        await _storage.PutAsync("k", Bytes, cancellationToken: Token);
        _server.Misbehave("GET", MisbehavingS3Server.Body(Damage));
        Assert.Equal(Bytes, await ReadAsync());

        _server.Misbehave("GET", MisbehavingS3Server.Body(Damage), times: 4);
        var error = await Assert.ThrowsAsync<StorageException>(ReadAsync);
        Assert.Equal(StorageError.Corrupt, error.Error);
        Assert.Contains("checksum", error.Message, StringComparison.Ordinal);

        _server.Misbehave("GET", MisbehavingS3Server.Body(Damage));
        await using var stream = await _storage.OpenReadAsync("k", cancellationToken: Token);
        Assert.Equal(Bytes, await CopyAsync(stream));
    }

    [Fact]
    public async Task OpenRead_DamageInAnObjectOfSeveralRanges_IsFoundAtItsEnd()
    {
        var bytes = Pattern.Bytes((9 << 20) + 1);
        await _storage.PutAsync("k", bytes, cancellationToken: Token);
        await using (var intact = await _storage.OpenReadAsync("k", cancellationToken: Token))
        {
            Assert.Equal(bytes, await CopyAsync(intact));
        }

        _server.Misbehave("GET", MisbehavingS3Server.Body(Damage));
        await using var stream = await _storage.OpenReadAsync("k", cancellationToken: Token);

        Assert.Equal(StorageError.Corrupt, (await Assert.ThrowsAsync<StorageException>(() => CopyAsync(stream))).Error);
    }

    [Fact]
    public async Task Put_BytesDamagedOnTheWay_AreRefusedByTheServer()
    {
        Func<Microsoft.AspNetCore.Http.HttpContext, MisbehavingS3Server.S3Object?, Task<bool>> damage = async (context, _) =>
        {
            using var copy = new MemoryStream();
            await context.Request.Body.CopyToAsync(copy, Token);
            context.Request.Body = new MemoryStream(Damage(copy.ToArray()).ToArray());
            return false;
        };
        _server.Misbehave("PUT", damage);
        Assert.Equal(StorageError.Corrupt, (await Assert.ThrowsAsync<StorageException>(() => _storage.PutAsync("k", Bytes, cancellationToken: Token))).Error);
        Assert.Null(await _storage.HeadAsync("k", Token));

        _server.Misbehave("PUT", damage);
        using var inParts = new S3ObjectStorage(_server.Options() with { PartBytes = 5 << 20 }, _time);
        Assert.Equal(StorageError.Corrupt, (await Assert.ThrowsAsync<StorageException>(() => inParts.PutAsync("k", new MemoryStream(Pattern.Bytes(11 << 20)), cancellationToken: Token))).Error);
        Assert.Equal(0, _server.OpenUploads);
    }

    [Fact]
    public async Task Read_LongerBodyThanAskedFor_IsRefused()
    {
        _server.Store("k", Bytes);
        _server.Misbehave(
            "GET",
            async (context, item) =>
            {
                context.Response.OnStarting(() =>
                {
                    context.Response.ContentLength = null;
                    return Task.CompletedTask;
                });
                return await MisbehavingS3Server.Body(bytes => (byte[])[.. bytes, 1, 2, 3])(context, item);
            },
            times: 4);

        var error = await Assert.ThrowsAsync<StorageException>(ReadAsync);

        Assert.Equal(StorageError.Corrupt, error.Error);
        Assert.Contains("more than the 100003 bytes", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bytes 5-100007/200000", StorageError.Corrupt, "bytes 5 to 100007, asked for were 0 to 100002")]
    [InlineData("bytes 0-50000/50001", StorageError.Truncated, "has 50001 bytes")]
    [InlineData("", StorageError.Corrupt, "does not know ranges")]
    public async Task Read_WrongContentRange_IsRefused(string contentRange, StorageError expected, string said)
    {
        _server.Store("k", [.. Bytes, 1, 2, 3]);
        _server.Misbehave(
            "GET",
            MisbehavingS3Server.Headers(response =>
            {
                response.Headers.ContentRange = contentRange;
                if (contentRange.Length == 0)
                {
                    response.Headers.Remove("Content-Range");
                    response.Headers["x-other"] = "1";
                }
            }),
            times: 4);
        using var storage = new S3ObjectStorage(_server.Options(), _time);

        var error = await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("k", contentRange.Length == 0 ? 1 : 0, new byte[Length], cancellationToken: Token));

        Assert.Equal(expected, error.Error);
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_ObjectIsWrittenAnewBetweenTwoTries_IsChanged()
    {
        _server.Store("k", Bytes);
        _server.Misbehave("GET", async (context, item) =>
        {
            await MisbehavingS3Server.Body(bytes => bytes.AsMemory(0, 1000))(context, item);
            _server.Store("k", Pattern.Bytes(Length, 1));
            return true;
        });

        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(ReadAsync)).Error);
    }

    [Fact]
    public async Task Read_ServerIgnoresIfMatch_IsChangedAllTheSame()
    {
        var etag = _server.Store("k", Bytes);
        _server.Misbehave("GET", MisbehavingS3Server.Headers(response => response.Headers.ETag = "\"another\""));

        var error = await Assert.ThrowsAsync<StorageException>(() => _storage.ReadAsync("k", 0, new byte[Length], etag, Token));

        Assert.Equal(StorageError.Changed, error.Error);
        Assert.Contains("found another", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Put_IfAbsent_AnswerIsLost_TheNextTryFindsItsOwnWrite()
    {
        _server.Misbehave("PUT", async (context, _) =>
        {
            // Carried out, and then only the answer goes wrong.
            context.Response.OnStarting(() =>
            {
                context.Response.StatusCode = 500;
                return Task.CompletedTask;
            });
            await Task.CompletedTask;
            return false;
        });

        var etag = await _storage.PutAsync("k", Bytes, PutCondition.IfAbsent, Token);

        Assert.Equal(etag, (await _storage.HeadAsync("k", Token))!.ETag);
        Assert.Equal(2, _server.Requests.Count(request => request.StartsWith("PUT", StringComparison.Ordinal)));
        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => _storage.PutAsync("k", Bytes, PutCondition.IfAbsent, Token))).Error);
    }

    [Fact]
    public async Task Put_InParts_AnswerToTheCompletionIsLost_IsWrittenOnce()
    {
        using var storage = new S3ObjectStorage(_server.Options() with { PartBytes = 5 << 20 }, _time);
        var bytes = Pattern.Bytes((11 << 20) + 5);
        _server.Misbehave("POST", (_, _) => Task.FromResult(false)).Misbehave("POST", MisbehavingS3Server.Headers(response => response.StatusCode = 500));

        var etag = await storage.PutAsync("k", new MemoryStream(bytes), PutCondition.IfAbsent, Token);

        var read = new byte[bytes.Length];
        await storage.ReadAsync("k", 0, read, etag, Token);
        Assert.Equal(bytes, read);
        Assert.Equal(0, _server.OpenUploads);
    }

    [Fact]
    public async Task Put_InParts_ThatFailsForGood_AbortsTheUpload()
    {
        using var storage = new S3ObjectStorage(_server.Options() with { PartBytes = 5 << 20 }, _time);
        _server.Misbehave("PUT", (_, _) => Task.FromResult(false)).Misbehave("PUT", MisbehavingS3Server.Error(503, "SlowDown"), times: 4);

        var error = await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("k", new MemoryStream(Pattern.Bytes(11 << 20)), cancellationToken: Token));

        Assert.Equal(StorageError.Unavailable, error.Error);
        Assert.Equal(0, _server.OpenUploads);
        Assert.Null(await storage.HeadAsync("k", Token));
    }

    private static ReadOnlyMemory<byte> Damage(byte[] bytes)
    {
        bytes[^7] ^= 16;
        return bytes;
    }

    private static async Task<byte[]> CopyAsync(Stream stream)
    {
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, Token);
        return copy.ToArray();
    }

    private async Task<byte[]> ReadAsync()
    {
        var target = new byte[Length];
        await _storage.ReadAsync("k", 0, target, cancellationToken: Token);
        return target;
    }
}
