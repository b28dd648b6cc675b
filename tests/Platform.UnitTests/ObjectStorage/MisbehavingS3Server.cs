using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Xml.Linq;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>An S3 server of our own, in this process, that serves one bucket from memory, checks checksum headers, and misbehaves when it is told to. It does not look at signatures.</summary>
internal sealed class MisbehavingS3Server : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, S3Object> _objects = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<int, byte[]>> _uploads = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<(string Method, Func<HttpContext, S3Object?, Task<bool>> Act)> _misbehaviours = new();
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly Lock _gate = new();
    private readonly WebApplication _app;
    private int _version;

    private MisbehavingS3Server(WebApplication app) => _app = app;

    /// <summary>Which checksums it keeps and tells, of those that <see cref="ObjectChecksum"/> knows; null for none.</summary>
    public ObjectChecksumAlgorithm? Keeps { get; set; } = ObjectChecksumAlgorithm.Crc32C;

    /// <summary>Every request so far: method, path, query and range.</summary>
    public IReadOnlyList<string> Requests => [.. _requests];

    /// <summary>Uploads that were neither completed nor aborted.</summary>
    public int OpenUploads => _uploads.Count;

    public static async Task<MisbehavingS3Server> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(options => options.Limits.MaxRequestBodySize = null);
        var app = builder.Build();
        var server = new MisbehavingS3Server(app);
        app.Run(server.AnswerAsync);
        await app.StartAsync();
        return server;
    }

    public S3ObjectStorageOptions Options() => new() { Bucket = "bucket", Endpoint = new Uri(_app.Urls.Single()), AccessKey = "key", SecretKey = "secret" };

    public S3ObjectStorage Open(TimeProvider? time = null) => new(Options(), time ?? new ImpatientTime());

    /// <summary>Puts an object there behind everybody's back.</summary>
    public string Store(string key, byte[] bytes) => (_objects[key] = new S3Object(bytes, $"\"v{Interlocked.Increment(ref _version)}\"", [])).ETag.Trim('"');

    /// <summary>Makes the next requests of a method go wrong in a way, which says if it has answered.</summary>
    public MisbehavingS3Server Misbehave(string method, Func<HttpContext, S3Object?, Task<bool>> act, int times = 1)
    {
        for (var i = 0; i < times; i++)
        {
            _misbehaviours.Enqueue((method, act));
        }

        return this;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>Answers with a status and an S3 error code.</summary>
    public static Func<HttpContext, S3Object?, Task<bool>> Error(int status, string code) => async (context, _) =>
    {
        await DrainAsync(context);
        await RefuseAsync(context, status, code);
        return true;
    };

    /// <summary>Cuts the connection with a reset after so many bytes of a right answer; before it with -1.</summary>
    public static Func<HttpContext, S3Object?, Task<bool>> Reset(int afterBytes) => async (context, item) =>
    {
        if (afterBytes >= 0)
        {
            await AnswerRangeAsync(context, item!, bytes => bytes.AsMemory(0, afterBytes));
        }

        var socket = context.Features.Get<IConnectionSocketFeature>()!.Socket;
        socket.LingerState = new(true, 0);
        socket.Close();
        context.Abort();
        return true;
    };

    /// <summary>Answers right, but with other bytes.</summary>
    public static Func<HttpContext, S3Object?, Task<bool>> Body(Func<byte[], ReadOnlyMemory<byte>> change) => async (context, item) =>
    {
        await AnswerRangeAsync(context, item!, change);
        return true;
    };

    /// <summary>Sends so many bytes of a right answer and then nothing, until the client leaves.</summary>
    public static Func<HttpContext, S3Object?, Task<bool>> Stall(int afterBytes, TaskCompletionSource stalls) => async (context, item) =>
    {
        if (afterBytes >= 0)
        {
            await AnswerRangeAsync(context, item!, bytes => bytes.AsMemory(0, afterBytes));
        }

        var left = new TaskCompletionSource();
        context.RequestAborted.Register(left.SetResult);
        stalls.TrySetResult();
        await left.Task;
        return true;
    };

    /// <summary>Answers right, but for headers that <paramref name="change"/> has changed.</summary>
    public static Func<HttpContext, S3Object?, Task<bool>> Headers(Action<HttpResponse> change) => (context, _) =>
    {
        context.Response.OnStarting(() =>
        {
            change(context.Response);
            return Task.CompletedTask;
        });
        return Task.FromResult(false);
    };

    private async Task AnswerAsync(HttpContext context)
    {
        var request = context.Request;
        _requests.Enqueue($"{request.Method} {request.Path}{request.QueryString} {request.Headers.Range}".TrimEnd());
        var key = Uri.UnescapeDataString(request.Path.Value!["/bucket".Length..].TrimStart('/'));
        _objects.TryGetValue(key, out var item);
        if (_misbehaviours.TryPeek(out var next) && next.Method == request.Method && _misbehaviours.TryDequeue(out next) && await next.Act(context, item))
        {
            return;
        }

        await (request.Method switch
        {
            "PUT" when request.Query.ContainsKey("uploadId") => PutPartAsync(context),
            "PUT" => PutAsync(context, key),
            "POST" when request.Query.ContainsKey("uploads") => StartUploadAsync(context, key),
            "POST" => CompleteAsync(context, key, item),
            "DELETE" => DeleteAsync(context, key),
            "GET" when key.Length == 0 => ListAsync(context),
            _ => GetAsync(context, item),
        });
    }

    private static async Task GetAsync(HttpContext context, S3Object? item)
    {
        if (item is null)
        {
            await RefuseAsync(context, 404, "NoSuchKey");
        }
        else if (context.Request.Headers.IfMatch is [{ } wanted] && wanted != item.ETag)
        {
            await RefuseAsync(context, 412, "PreconditionFailed");
        }
        else
        {
            await AnswerRangeAsync(context, item, bytes => bytes);
        }
    }

    private static async Task AnswerRangeAsync(HttpContext context, S3Object item, Func<byte[], ReadOnlyMemory<byte>> change)
    {
        var (first, last) = (0, item.Bytes.Length - 1);
        var response = context.Response;
        if (context.Request.GetTypedHeaders().Range is { } range)
        {
            var wanted = range.Ranges.Single();
            first = (int)wanted.From!.Value;
            last = (int)Math.Min(last, wanted.To!.Value);
            if (first > last)
            {
                await RefuseAsync(context, 416, "InvalidRange");
                return;
            }

            response.StatusCode = 206;
            response.Headers.ContentRange = $"bytes {first}-{last}/{item.Bytes.Length}";
        }

        response.Headers.ETag = item.ETag;
        response.Headers.LastModified = "Wed, 02 Jan 2030 03:04:05 GMT";
        foreach (var (name, value) in item.Headers)
        {
            if (context.Request.Headers["x-amz-checksum-mode"] == "ENABLED" || !name.StartsWith("x-amz-checksum", StringComparison.Ordinal))
            {
                response.Headers[name] = value;
            }
        }

        response.ContentLength = last - first + 1;
        if (context.Request.Method == "HEAD")
        {
            return;
        }

        await response.Body.WriteAsync(change(item.Bytes[first..(last + 1)]), context.RequestAborted);
        await response.Body.FlushAsync(context.RequestAborted);
    }

    private async Task PutAsync(HttpContext context, string key)
    {
        var bytes = await DrainAsync(context);
        if (!IsIntact(context.Request, bytes))
        {
            await RefuseAsync(context, 400, "BadDigest");
        }
        else if (!TryKeep(context, key, bytes, Metadata(context.Request)))
        {
            await RefuseAsync(context, 412, "PreconditionFailed");
        }
    }

    private async Task StartUploadAsync(HttpContext context, string key)
    {
        var id = $"upload-{Interlocked.Increment(ref _version)}";
        _uploads[id] = [];
        foreach (var (name, value) in Metadata(context.Request))
        {
            _uploads[id][-1] = System.Text.Encoding.UTF8.GetBytes($"{name}={value}");
        }

        await XmlAsync(context, new XElement("InitiateMultipartUploadResult", new XElement("Bucket", "bucket"), new XElement("Key", key), new XElement("UploadId", id)));
    }

    private async Task PutPartAsync(HttpContext context)
    {
        var bytes = await DrainAsync(context);
        if (!IsIntact(context.Request, bytes))
        {
            await RefuseAsync(context, 400, "BadDigest");
            return;
        }

        if (!_uploads.TryGetValue(context.Request.Query["uploadId"]!, out var parts))
        {
            await RefuseAsync(context, 404, "NoSuchUpload");
            return;
        }

        parts[int.Parse(context.Request.Query["partNumber"]!)] = bytes;
        context.Response.Headers.ETag = $"\"{Convert.ToHexStringLower(SHA256.HashData(bytes))}\"";
    }

    private async Task CompleteAsync(HttpContext context, string key, S3Object? old)
    {
        await DrainAsync(context);
        var id = context.Request.Query["uploadId"].ToString();
        if (!IsAllowed(context.Request, old))
        {
            await RefuseAsync(context, 412, "PreconditionFailed");
        }
        else if (_uploads.TryRemove(id, out var parts))
        {
            var metadata = parts.TryRemove(-1, out var mark) ? System.Text.Encoding.UTF8.GetString(mark).Split('=') : [];
            var bytes = parts.OrderBy(part => part.Key).SelectMany(part => part.Value).ToArray();
            if (IsIntact(context.Request, bytes))
            {
                Keep(context, key, bytes, metadata is [var name, var value] ? new() { [name] = value } : []);
                await XmlAsync(context, new XElement("CompleteMultipartUploadResult", new XElement("Key", key), new XElement("ETag", _objects[key].ETag)));
            }
            else
            {
                await RefuseAsync(context, 400, "BadDigest");
            }
        }
        else
        {
            await RefuseAsync(context, 404, "NoSuchUpload");
        }
    }

    private Task DeleteAsync(HttpContext context, string key)
    {
        if (context.Request.Query["uploadId"].FirstOrDefault() is { } id)
        {
            _uploads.TryRemove(id, out _);
        }
        else
        {
            _objects.TryRemove(key, out _);
        }

        context.Response.StatusCode = 204;
        return Task.CompletedTask;
    }

    private Task ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var after = query["continuation-token"].ToString();
        var count = int.Parse(query["max-keys"]!);
        var keys = _objects.Keys.Where(key => key.StartsWith(query["prefix"].ToString(), StringComparison.Ordinal) && string.CompareOrdinal(key, after) > 0).Order(StringComparer.Ordinal).Take(count + 1).ToList();
        var isTruncated = keys.Count > count;
        var page = keys.Take(count).ToList();
        return XmlAsync(context, new XElement(
            "ListBucketResult",
            new XElement("IsTruncated", isTruncated),
            isTruncated ? new XElement("NextContinuationToken", page[^1]) : null,
            page.Select(key => new XElement("Contents", new XElement("Key", key), new XElement("Size", _objects[key].Bytes.Length), new XElement("ETag", _objects[key].ETag), new XElement("LastModified", "2030-01-02T03:04:05.000Z")))));
    }

    /// <summary>Keeps an object if the request's conditions hold, of many at once one after the other.</summary>
    private bool TryKeep(HttpContext context, string key, byte[] bytes, Dictionary<string, string> headers)
    {
        lock (_gate)
        {
            var allowed = IsAllowed(context.Request, _objects.GetValueOrDefault(key));
            if (allowed)
            {
                Keep(context, key, bytes, headers);
            }

            return allowed;
        }
    }

    private void Keep(HttpContext context, string key, byte[] bytes, Dictionary<string, string> headers)
    {
        if (Keeps is { } algorithm)
        {
            var running = new ObjectChecksum.Running(algorithm);
            running.Append(bytes);
            var value = BitConverter.GetBytes(running.Current.Value).AsSpan(0, algorithm == ObjectChecksumAlgorithm.Crc64Nvme ? 8 : 4).ToArray();
            Array.Reverse(value);
            headers[algorithm == ObjectChecksumAlgorithm.Crc64Nvme ? "x-amz-checksum-crc64nvme" : "x-amz-checksum-crc32c"] = Convert.ToBase64String(value);
        }

        _objects[key] = new S3Object(bytes, $"\"v{Interlocked.Increment(ref _version)}\"", headers);
        context.Response.Headers.ETag = _objects[key].ETag;
    }

    private static bool IsAllowed(HttpRequest request, S3Object? old) =>
        (request.Headers.IfNoneMatch.Count == 0 || old is null) && (request.Headers.IfMatch.Count == 0 || request.Headers.IfMatch.ToString().Trim('"') == old?.ETag.Trim('"'));

    private static bool IsIntact(HttpRequest request, byte[] bytes)
    {
        var running = new ObjectChecksum.Running(ObjectChecksumAlgorithm.Crc32C);
        running.Append(bytes);
        return request.Headers["x-amz-checksum-crc32c"].FirstOrDefault() is not { } said || said == ObjectChecksum.HeaderOfCrc32C((uint)running.Current.Value);
    }

    private static Dictionary<string, string> Metadata(HttpRequest request) =>
        request.Headers.Where(header => header.Key.StartsWith("x-amz-meta-", StringComparison.OrdinalIgnoreCase)).ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.Ordinal);

    private static async Task<byte[]> DrainAsync(HttpContext context)
    {
        using var copy = new MemoryStream();
        await context.Request.Body.CopyToAsync(copy);
        return copy.ToArray();
    }

    private static Task RefuseAsync(HttpContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        return XmlAsync(context, new XElement("Error", new XElement("Code", code), new XElement("Message", code)));
    }

    private static Task XmlAsync(HttpContext context, XElement body)
    {
        context.Response.ContentType = "application/xml";
        return context.Request.Method == "HEAD" ? Task.CompletedTask : context.Response.WriteAsync(new XDocument(body).ToString());
    }

    internal sealed record S3Object(byte[] Bytes, string ETag, Dictionary<string, string> Headers);
}
