using System.Globalization;
using System.Net;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>The SDK's client with our own patience: what may pass is tried again with growing random pauses, what stays wrong becomes a <see cref="StorageException"/>.</summary>
internal sealed class S3Connection : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(20);

    // Errors that come with a status of their own mind: 400, or 200 in the answer to a completed upload.
    private static readonly HashSet<string> PassingCodes = new(StringComparer.Ordinal) { "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling", "OperationAborted" };

    private readonly TimeProvider _time;

    public S3Connection(S3ObjectStorageOptions options, TimeProvider time)
    {
        Options = options;
        _time = time;
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle,
            AuthenticationRegion = options.Region,

            // Ours to do: the SDK knows neither CRC32C nor CRC-64/NVME without a native library, and its trailers are refused by most servers.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,

            // Ours to do: the SDK would not go on in the middle of a body, would not tell how often it tried, and takes one time limit for a small and a large body.
            MaxErrorRetry = 0,
            ThrottleRetries = false,
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
        };
        if (options.Endpoint is null)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        }
        else
        {
            config.ServiceURL = options.Endpoint.ToString();
        }

        Client = options.AccessKey is null ? new AmazonS3Client(config) : new AmazonS3Client(new BasicAWSCredentials(options.AccessKey, options.SecretKey), config);
        if (options.Checksums)
        {
            Client.BeforeRequestEvent += AskForChecksum;
        }
    }

    public S3ObjectStorageOptions Options { get; }

    public AmazonS3Client Client { get; }

    public string Bucket => Options.Bucket;

    public string Name => $"{Options.Endpoint?.ToString() ?? "s3://"}{Options.Bucket}/{Options.Prefix}";

    public string Full(string key) => Options.Prefix + key;

    public void Dispose() => Client.Dispose();

    /// <summary>Runs a request until it succeeds, fails for good, or has been tried often enough.</summary>
    /// <param name="key">For messages.</param>
    /// <param name="request">Gets the number of the try, from 1, and a timer to which it shows signs of life.</param>
    /// <param name="cancellationToken">Stops all of it.</param>
    public async Task<T> TryAsync<T>(string key, Func<int, IdleTimer, Task<T>> request, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            using var idle = new IdleTimer(Options.IdleTimeout, _time, cancellationToken);
            try
            {
                return await request(attempt, idle);
            }
            catch (Exception cause) when (!cancellationToken.IsCancellationRequested && MayPass(cause) && attempt < Options.MaxTries)
            {
                await Task.Delay(PauseAfter(cause, attempt), _time, cancellationToken);
            }
            catch (Exception cause) when (cause is not StorageException && !cancellationToken.IsCancellationRequested)
            {
                throw Translate(key, idle.HasExpired ? new TimeoutException($"it was silent for {Options.IdleTimeout.TotalSeconds:0.###} s", cause) : cause, attempt);
            }
        }
    }

    public static string Unquoted(string? etag) => etag?.Trim('"') ?? "";

    /// <summary>For reads. On writes Ceph compares what is in the quotes with the quotes, so there they are left away, which AWS takes too.</summary>
    public static string Quoted(string etag) => $"\"{etag}\"";

    /// <summary>Asked for in a header of our own: the SDK's way to ask would have the SDK check too, and fail where it lacks the algorithm.</summary>
    private static void AskForChecksum(object sender, RequestEventArgs arguments)
    {
        if (arguments is WebServiceRequestEventArgs { Request: Amazon.S3.Model.GetObjectRequest or Amazon.S3.Model.GetObjectMetadataRequest } request)
        {
            request.Headers["x-amz-checksum-mode"] = "ENABLED";
        }
    }

    /// <summary>Twice as long each time, and random, so that clients who failed together do not come back together; no less than the server asks for.</summary>
    private static TimeSpan PauseAfter(Exception cause, int attempt)
    {
        var pause = FirstPause * Math.Pow(2, attempt - 1) * (0.5 + Random.Shared.NextDouble());
        var asked = (cause.InnerException as Amazon.Runtime.Internal.HttpErrorResponseException)?.Response?.GetHeaderValue("Retry-After");
        if (int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
        {
            pause += TimeSpan.FromSeconds(seconds);
        }

        return pause < LongestPause ? pause : LongestPause;
    }

    private static bool MayPass(Exception cause) => cause switch
    {
        StorageException => false,
        AmazonServiceException { StatusCode: HttpStatusCode.TooManyRequests } => true,
        AmazonServiceException { ErrorCode: { } code } when PassingCodes.Contains(code) => true,

        // S3 explains every refusal in a body. Without one, an HTTP parser refused: of a server or proxy that answered an earlier request before it had read its body, and is out of step on this connection.
        AmazonServiceException { StatusCode: HttpStatusCode.BadRequest, ErrorCode: null or "" or nameof(HttpStatusCode.BadRequest) } => true,
        AmazonServiceException { StatusCode: HttpStatusCode.InsufficientStorage } => false,
        AmazonServiceException service => (int)service.StatusCode is 0 or >= 500 and not 501,
        HttpRequestException or IOException or OperationCanceledException => true,
        AmazonClientException => true,
        _ => false,
    };

    private StorageException Translate(string key, Exception cause, int tries)
    {
        if (cause is AmazonServiceException service)
        {
            switch (service.StatusCode)
            {
                case HttpStatusCode.NotFound:
                    return new(StorageError.NotFound, $"There is no object '{key}' in {Name} ({service.ErrorCode}). Publish it, or check the bucket.", cause);
                case HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict or HttpStatusCode.NotModified:
                    return new(StorageError.Changed, $"Object '{key}' in {Name} is not the expected one ({service.ErrorCode}). It was written meanwhile; read it again.", cause);
                case HttpStatusCode.RequestedRangeNotSatisfiable:
                    return new(StorageError.Truncated, $"Object '{key}' in {Name} ends before the range that was asked for. Publish it again.", cause);
                case HttpStatusCode.InsufficientStorage:
                    return new(StorageError.Full, $"{Name} has no room for '{key}' ({service.ErrorCode}).", cause);
                case HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized:
                    return new(StorageError.Unavailable, $"{Name} refuses access to '{key}' ({service.ErrorCode}). Check access key, secret key and the bucket's policy.", cause);
                case HttpStatusCode.BadRequest when service.ErrorCode is "BadDigest" or "InvalidDigest" or "XAmzContentChecksumMismatch" or "XAmzContentSHA256Mismatch":
                    return new(StorageError.Corrupt, $"{Name} says that the bytes of '{key}' changed on the way ({service.ErrorCode}). Write it again; if it stays so, look at what lies between.", cause);
            }
        }

        return cause switch
        {
            WrongAnswerException => new(StorageError.Corrupt, $"Object '{key}' in {Name}: {cause.Message}, {tries} times. The object, the server or a proxy before it is damaged; publish it again.", cause),
            EndOfStreamException or HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded } =>
                new(StorageError.Truncated, $"Object '{key}' in {Name}: {cause.Message}, {tries} times. Publish it again, or look at what lies between.", cause),
            _ => new(StorageError.Unavailable, $"{Name} did not answer for '{key}' in {tries} tries: {cause.Message}", cause),
        };
    }
}
