using System.Globalization;
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
    public static string WithRate(string timing, int tokens, TimeSpan afterTheFirst) => tokens > 1 && afterTheFirst > TimeSpan.Zero
        ? string.Create(CultureInfo.InvariantCulture, $"{timing}, tokens;desc=\"{(tokens - 1) / afterTheFirst.TotalSeconds:0.#} per second\"")
        : timing;
}
