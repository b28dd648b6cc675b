using System.Globalization;

namespace Platform.Worker.Jobs.Exec;

/// <summary>The node's devices by the names that commands know them: a worker that was itself given some of the machine's devices passes on those and no others.</summary>
/// <param name="own">The worker's own <see cref="Variable"/>: numbers or identifiers; null or empty: it sees every device.</param>
internal sealed class VisibleDevices(string? own)
{
    public const string Variable = "CUDA_VISIBLE_DEVICES";
    private readonly string[] _names = own?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>Those of this process.</summary>
    public static VisibleDevices OfThisProcess { get; } = new(Environment.GetEnvironmentVariable(Variable));

    /// <summary>What a setting that says more devices than this is told.</summary>
    public string Rule => $"Worker:Devices says how many devices jobs may take, and the worker's own {Variable}, '{own}', has {_names.Length}. Set Worker__Devices to that at most, or give the worker more.";

    /// <summary>True if there may be <paramref name="count"/> devices.</summary>
    public bool Has(int count) => _names.Length == 0 || count <= _names.Length;

    /// <summary>The value of <see cref="Variable"/> for a command that has these devices, by their numbers on this node.</summary>
    public string ValueFor(IEnumerable<int> devices) =>
        string.Join(',', devices.Select(device => _names.Length == 0 ? device.ToString(CultureInfo.InvariantCulture) : _names[device]));
}
