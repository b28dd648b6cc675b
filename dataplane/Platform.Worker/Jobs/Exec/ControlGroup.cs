using System.Globalization;
using Platform.Jobs;

namespace Platform.Worker.Jobs.Exec;

/// <summary>A control group (cgroup v2) with the limits of one command, where this process may make one.</summary>
internal sealed class ControlGroup : IDisposable
{
    private const string Root = "/sys/fs/cgroup";
    private const int PeriodMicroseconds = 100_000;

    private ControlGroup(string path) => Path = path;

    public string Path { get; }

    /// <summary>Makes a group below this process's own.</summary>
    /// <returns>Null, with the reason, if no limits are asked for or they cannot be set here.</returns>
    public static ControlGroup? TryCreate(string name, JobResources asked, out string? reason)
    {
        reason = null;
        if (asked.Cpu <= 0 && asked.MemoryBytes <= 0)
        {
            return null;
        }

        try
        {
            var own = File.ReadLines("/proc/self/cgroup").FirstOrDefault(line => line.StartsWith("0::", StringComparison.Ordinal))?[3..];
            if (own is null || !File.Exists(System.IO.Path.Combine(Root, "cgroup.controllers")))
            {
                reason = "this system has no cgroup v2";
                return null;
            }

            var path = System.IO.Path.Combine(Root, own.TrimStart('/'), name);
            Directory.CreateDirectory(path);
            var group = new ControlGroup(path);
            try
            {
                if (asked.Cpu > 0)
                {
                    File.WriteAllText(System.IO.Path.Combine(path, "cpu.max"), string.Create(CultureInfo.InvariantCulture, $"{(long)(asked.Cpu * PeriodMicroseconds)} {PeriodMicroseconds}"));
                }

                if (asked.MemoryBytes > 0)
                {
                    File.WriteAllText(System.IO.Path.Combine(path, "memory.max"), asked.MemoryBytes.ToString(CultureInfo.InvariantCulture));
                }

                return group;
            }
            catch
            {
                group.Dispose();
                throw;
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            reason = fault.Message;
            return null;
        }
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // A process that was killed a moment ago is still in it; an empty group costs nothing.
        }
    }
}
