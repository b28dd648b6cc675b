namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>Headers by which a handler recognises its host.</summary>
internal static class HostHeaders
{
    /// <summary>The version of the host whose contract this one follows.</summary>
    public const string ContractVersion = "4.1037.0";

    public const string InvocationId = "X-Azure-Functions-InvocationId";
    public const string HostVersion = "X-Azure-Functions-HostVersion";
    public const string Correlation = "x-ms-invocation-id";
    public const string FunctionsKey = "x-functions-key";
    public const string UserAgent = "Azure-Functions-Host/" + ContractVersion;
}
