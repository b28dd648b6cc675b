namespace Platform.DataPlane.ObjectStorage;

/// <summary>A server answered with other bytes than those that it was asked for, or than those whose checksum it keeps. It may have been one bad hop, so it is worth another try.</summary>
internal sealed class WrongAnswerException(string message) : IOException(message);
