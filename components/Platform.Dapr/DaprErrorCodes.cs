namespace Platform.Dapr;

/// <summary>The codes that callers branch on. Dapr has more; they pass through as they are.</summary>
public static class DaprErrorCodes
{
    /// <summary>The callee could not be reached, or is unknown.</summary>
    public const string DirectInvoke = "ERR_DIRECT_INVOKE";

    /// <summary>No running app hosts the actor type.</summary>
    public const string ActorNoAddress = "ERR_ACTOR_NO_ADDRESS";

    /// <summary>The actor's host failed or broke off.</summary>
    public const string ActorInvokeMethod = "ERR_ACTOR_INVOKE_METHOD";

    /// <summary>Ours, not Dapr's: the sidecar itself did not answer.</summary>
    public const string SidecarUnreachable = "SIDECAR_UNREACHABLE";
}
