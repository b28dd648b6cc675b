using System.Globalization;
using System.Text;
using Platform.Jobs;
using Platform.Worker.Models;

namespace Platform.Worker.Http;

/// <summary>Where a call's time went and its bytes came from, as the <c>Server-Timing</c> header says it. Figures that are no durations are descriptions (W3C Server Timing, <c>desc</c>).</summary>
internal static class CallTiming
{
    /// <summary>Phases and bytes of a call that has its first token.</summary>
    public static string Of(ModelLease lease, TimeSpan firstToken)
    {
        var phases = ServerTiming.Format([new(ServerTiming.Process, lease.Process), new(ServerTiming.Staged, lease.Staged), new(ServerTiming.Loaded, lease.Loading), new(ServerTiming.FirstToken, firstToken)]);
        return string.Create(CultureInfo.InvariantCulture, $"{phases}, objectStore;desc=\"{lease.ObjectStoreBytes} bytes\", nvme;desc=\"{lease.NvmeBytes} bytes\", host;desc=\"{lease.HostBytes} bytes\"");
    }

    /// <summary>Adds the rate of an answer that is complete before its headers go out.</summary>
    /// <param name="timing">What <see cref="Of"/> said.</param>
    /// <param name="tokens">Tokens of the answer.</param>
    /// <param name="afterTheFirst">From the first to the last.</param>
    public static string WithRate(string timing, int tokens, TimeSpan afterTheFirst) => RateOf(tokens, afterTheFirst) is { } rate ? $"{timing}, {rate}" : timing;

    /// <summary>The rate of a stream, whose headers went out with its first token: a comment among its events (a line that begins with a colon, which readers of events skip); null if there is none to tell.</summary>
    public static byte[]? CommentOf(int tokens, TimeSpan afterTheFirst) => RateOf(tokens, afterTheFirst) is { } rate ? Encoding.UTF8.GetBytes($": {ServerTiming.Header}: {rate}\n\n") : null;

    private static string? RateOf(int tokens, TimeSpan afterTheFirst) => tokens > 1 && afterTheFirst > TimeSpan.Zero
        ? string.Create(CultureInfo.InvariantCulture, $"tokens;desc=\"{(tokens - 1) / afterTheFirst.TotalSeconds:0.#} per second\"")
        : null;
}
