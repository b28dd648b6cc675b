using System.Diagnostics;

namespace Platform.Benchmarks.Tier;

/// <summary>What one window moved, and what it took.</summary>
internal sealed record Window(long Bytes, double Seconds, double CpuSeconds)
{
    public double BytesPerSecond => Bytes / Seconds;

    public double CpuPerByte => CpuSeconds / Bytes;

    /// <summary>Measures a window of this process.</summary>
    public static async Task<Window> MeasureAsync(Func<Task<long>> work)
    {
        // Not Process.TotalProcessorTime, which counts in hundredths of a second.
        var cpu = Environment.CpuUsage.TotalTime;
        var started = Stopwatch.GetTimestamp();
        var bytes = await work();
        var elapsed = Stopwatch.GetElapsedTime(started);
        return new Window(bytes, elapsed.TotalSeconds, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds);
    }
}
