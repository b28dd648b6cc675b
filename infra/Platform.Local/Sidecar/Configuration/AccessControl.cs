using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.Configuration;

/// <summary>Which apps may call which methods of this app: <c>spec.accessControl</c> of the callee's Configuration.</summary>
/// <remarks>daprd knows the caller by its certificate; here both ends are in the hands of one user, and the caller is the app whose sidecar makes the call, in the namespace <c>default</c> and the trust domain <c>public</c>.</remarks>
internal sealed class AccessControl
{
    private const string Namespace = "default";
    private const string TrustDomain = "public";
    private readonly bool _byDefault;
    private readonly Dictionary<string, Policy> _policies;

    private AccessControl(bool byDefault, Dictionary<string, Policy> policies)
    {
        _byDefault = byDefault;
        _policies = policies;
    }

    /// <exception cref="ResourceException">An action or a verb is none.</exception>
    public static AccessControl? Read(YamlMap? spec)
    {
        if (spec?.Map("accessControl") is not { } access)
        {
            return null;
        }

        if (access.Text("trustDomain") is null && access.Text("defaultAction") is null && access.Maps("policies").Count == 0)
        {
            return null;
        }

        var policies = new Dictionary<string, Policy>(StringComparer.Ordinal);
        foreach (var policy in access.Maps("policies"))
        {
            // daprd does not start without any of the three.
            var (appId, trustDomain, ns) = (policy.RequiredText("appId"), policy.RequiredText("trustDomain"), policy.RequiredText("namespace"));
            var read = ReadPolicy(policy);

            // A policy for another namespace or trust domain is for no caller there is here.
            if ((ns, trustDomain) == (Namespace, TrustDomain))
            {
                policies[appId] = read;
            }
        }

        // As daprd: without an action of its own the whole denies, unless it says that there are no policies.
        return new AccessControl(IsAllow(access, "defaultAction") ?? (access.Has("policies") && access.Maps("policies").Count == 0), policies);
    }

    /// <summary>Whether a caller may call a method.</summary>
    /// <param name="caller">App id of the caller.</param>
    /// <param name="method">Path at the callee, decoded, without a leading slash.</param>
    /// <param name="verb">HTTP verb.</param>
    public bool Allows(string caller, string method, string verb)
    {
        if (!_policies.TryGetValue(caller, out var policy))
        {
            return _byDefault;
        }

        return policy.Operations.Find(method) is { } operation && operation.Takes(verb) ? operation.IsAllowed : policy.ByDefault ?? _byDefault;
    }

    private static bool? IsAllow(YamlMap map, string key) => map.Text(key)?.ToLowerInvariant() switch
    {
        null or "" => null,
        "allow" => true,
        "deny" => false,
        var other => throw map.ErrorAt(key, $"{key} is '{other}'; expected allow or deny."),
    };

    private static Policy ReadPolicy(YamlMap map)
    {
        var operations = new OperationTree();
        foreach (var operation in map.Maps("operations"))
        {
            operations.Add(
                operation.RequiredText("name"),
                new AccessOperation(operation.Texts("httpVerb"), IsAllow(operation, "action") ?? throw operation.Error("an operation needs an 'action': allow or deny.")));
        }

        return new Policy(IsAllow(map, "defaultAction"), operations);
    }

    private sealed record Policy(bool? ByDefault, OperationTree Operations);
}
