using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Platform.Dapr;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary>The log of a job as server-sent events, over all of its attempts, until the job has ended. One event per line; memory is bounded by one read.</summary>
/// <remarks>
/// The id of an event is <c>attempt:offset</c>, the place after its line: sent back as <c>Last-Event-ID</c> it goes on there. Event <c>attempt</c> says that another attempt begins,
/// <c>end</c> has the state of the job and is the last.
/// </remarks>
/// <param name="find">The job as it stands; null if there is none any more.</param>
/// <param name="read">Bytes of an attempt's log from an offset; null if it cannot be read.</param>
/// <param name="start">Where to begin.</param>
/// <param name="time">Clock.</param>
internal sealed class JobLogStream(Func<CancellationToken, Task<JobStatus?>> find, Func<JobAttempt, long, CancellationToken, Task<byte[]?>> read, LogPosition start, TimeProvider time) : IResult
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    /// <summary>An attempt's last lines are written after its end is known: this many reads in a row must find nothing.</summary>
    private const int EmptyReadsAtEnd = 2;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.ContentType = "text/event-stream";
        httpContext.Response.Headers.CacheControl = "no-cache";
        httpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        await httpContext.Response.StartAsync(httpContext.RequestAborted);
        try
        {
            await FollowAsync(httpContext.Response, httpContext.RequestAborted);
        }
        catch (OperationCanceledException) when (httpContext.RequestAborted.IsCancellationRequested)
        {
            // The reader has gone.
        }
    }

    private async Task FollowAsync(HttpResponse response, CancellationToken cancellationToken)
    {
        var (position, emptyReads, saidAt) = (start, 0, time.GetTimestamp());
        while (true)
        {
            var (known, job) = await TryFindAsync(cancellationToken);
            var attempt = job?.Attempts.FirstOrDefault(candidate => candidate.Number == position.Attempt);
            var isOver = known && (job is null || JobTransitions.IsTerminal(job.State) || job.Attempts.Any(candidate => candidate.Number > position.Attempt));
            var moved = attempt is null ? position : await SendAsync(response, attempt, position, isOver && emptyReads > 0, cancellationToken);
            if (moved != position)
            {
                (position, emptyReads, saidAt) = (moved, 0, time.GetTimestamp());
                continue;
            }

            emptyReads++;
            if (isOver && emptyReads >= EmptyReadsAtEnd)
            {
                if (job?.Attempts.FirstOrDefault(candidate => candidate.Number > position.Attempt) is { } next)
                {
                    (position, emptyReads) = (new LogPosition(next.Number, 0), 0);
                    await WriteAsync(response, "attempt", position, new JsonObject { ["attempt"] = next.Number, ["worker"] = next.Worker }.ToJsonString(), cancellationToken);
                    continue;
                }

                await WriteAsync(response, "end", position, new JsonObject { ["state"] = job?.State.ToString(), ["reason"] = job?.Reason }.ToJsonString(), cancellationToken);
                return;
            }

            if (time.GetElapsedTime(saidAt) >= KeepAlive)
            {
                saidAt = time.GetTimestamp();
                await response.WriteAsync(": waiting\n\n", cancellationToken);
                await response.Body.FlushAsync(cancellationToken);
            }

            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    /// <summary>Control may be away for a moment; the reader waits for it.</summary>
    private async Task<(bool Known, JobStatus? Job)> TryFindAsync(CancellationToken cancellationToken)
    {
        try
        {
            return (true, await find(cancellationToken));
        }
        catch (DaprException)
        {
            return (false, null);
        }
    }

    /// <summary>Sends the whole lines that there are from <paramref name="position"/> on; the rest of a line only if nothing more can come.</summary>
    private async Task<LogPosition> SendAsync(HttpResponse response, JobAttempt attempt, LogPosition position, bool isLast, CancellationToken cancellationToken)
    {
        var bytes = await read(attempt, position.Offset, cancellationToken) ?? [];
        var begin = 0;
        while (begin < bytes.Length)
        {
            var length = bytes.AsSpan(begin).IndexOf((byte)'\n');
            if (length < 0 && !isLast)
            {
                break;
            }

            length = length < 0 ? bytes.Length - begin : length;
            var line = Encoding.UTF8.GetString(bytes, begin, length).TrimEnd('\r').Replace('\r', ' ');
            begin = Math.Min(bytes.Length, begin + length + 1);
            await response.WriteAsync($"id: {position with { Offset = position.Offset + begin }}\ndata: {line}\n\n", cancellationToken);
        }

        if (begin > 0)
        {
            await response.Body.FlushAsync(cancellationToken);
        }

        return position with { Offset = position.Offset + begin };
    }

    private static async Task WriteAsync(HttpResponse response, string type, LogPosition position, string data, CancellationToken cancellationToken)
    {
        await response.WriteAsync($"id: {position}\nevent: {type}\ndata: {data}\n\n", cancellationToken);
        await response.Body.FlushAsync(cancellationToken);
    }
}

/// <summary>A place in the logs of a job.</summary>
/// <param name="Attempt">1 for the first.</param>
/// <param name="Offset">In bytes.</param>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct LogPosition(int Attempt, long Offset)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Attempt}:{Offset}");

    public static bool TryParse(string? text, out LogPosition position)
    {
        var parts = text?.Split(':') ?? [];
        position = default;
        if (parts.Length != 2
            || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var attempt)
            || !long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var offset)
            || attempt < 1)
        {
            return false;
        }

        position = new LogPosition(attempt, offset);
        return true;
    }
}
