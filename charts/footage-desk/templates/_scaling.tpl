{{/* An HPA. (dict "root" $ "name" "…-portal" "component" "portal" "scaling" map) */}}
{{- define "footage-desk.hpa" -}}
{{- $s := .scaling }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  labels:
    {{- include "footage-desk.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  {{- with include "footage-desk.annotations" (dict "root" .root) | trim }}{{ . | nindent 2 }}{{ end }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  minReplicas: {{ $s.minReplicas }}
  maxReplicas: {{ $s.maxReplicas }}
  metrics:
    {{- with $s.targetCPUUtilizationPercentage }}
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ . }}}
    {{- end }}
    {{- with $s.inFlightPerPod }}
    # Needs an adapter that serves footage_desk_jobs_in_flight as a metric of pods.
    - type: Pods
      pods:
        metric: {name: footage_desk_jobs_in_flight}
        target: {type: AverageValue, averageValue: {{ . | quote }}}
    {{- end }}
    {{- with $s.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  behavior:
    # A pod that goes hands its jobs back; footage is read anew then.
    scaleDown: {stabilizationWindowSeconds: 600}
{{- end }}

{{/* A budget, where there is more than one pod. (… "pods" number) */}}
{{- define "footage-desk.pdb" -}}
{{- if and .root.Values.podDisruptionBudget.enabled (gt (int .pods) 1) }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  labels:
    {{- include "footage-desk.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  {{- with include "footage-desk.annotations" (dict "root" .root) | trim }}{{ . | nindent 2 }}{{ end }}
spec:
  maxUnavailable: {{ .root.Values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "footage-desk.selectorLabels" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
{{- end }}
{{- end }}
