namespace Platform.DataPlane.DeviceMemory;

/// <summary>There is no room on the device. The message has the figures.</summary>
public sealed class DeviceMemoryException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="message">Who asked for how much, what there is, and who has it.</param>
    /// <param name="isFinal">True if no waiting helps: it is more than the device has.</param>
    public DeviceMemoryException(string message, bool isFinal)
        : base(message) => IsFinal = isFinal;

    /// <summary>True if no waiting helps.</summary>
    public bool IsFinal { get; }
}
